"""Arguments and options that name a trained generator, and its people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from phq.errors import ConfigError, InputError
from phq.system.extras import needs_train
from phq.weights.embedded import generators

if TYPE_CHECKING:
    from phq.generator.use.opening import Trained
    from phq.generator.use.people import Cast, Person

Run = Annotated[
    Path | None,
    typer.Argument(help="Folder of a training run, or one of its checkpoint files.", show_default="none"),
]
Pretrained = Annotated[
    str | None,
    typer.Option(
        help=f"A generator that comes with phq, in place of RUN: {', '.join(generators())}.",
        show_default="none",
        hidden=not generators(),
    ),
]
Device = Annotated[str, typer.Option(help="Device: auto, cpu, cuda or cuda:N.")]
Seeds = Annotated[str, typer.Option(help="Seeds of the latents: numbers and ranges, as 0-9,12.")]
Truncation = Annotated[float, typer.Option(min=-1, max=2, help="Truncation ψ; 0: the average person.")]
Pose = Annotated[str, typer.Option(help="Pose: own, rest, or yaws of neck and head in degrees, as 10,20.")]
Pitch = Annotated[float, typer.Option(min=-85, max=85, help="Pitch of the camera, degrees, + above.")]
Radius = Annotated[float, typer.Option(min=1.5, max=6, help="Distance of the camera from the neck, metres.")]
Yaw = Annotated[float, typer.Option(help="Yaw of the camera, degrees, + on the subject's left.")]
Conditioning = Annotated[
    str, typer.Option(help="Camera that the person is conditioned on: front, same (the rendering one), or YAW,PITCH "
                      "in degrees.")
]  # fmt: skip
Latent = Annotated[
    Path | None,
    typer.Option(help="Folder of phq gan invert: that person in place of a seed's.", show_default="none"),
]


@contextmanager
def drawing(  # noqa: PLR0913 - what the commands have in common
    command: str,
    run: Path | None,
    pretrained: str | None,
    *,
    seeds: str = "0",
    conditioning: str = "front",
    files: Sequence[Path] = (),
    suffixes: Sequence[str] = (),
    folder: Path | None = None,
) -> Iterator[None]:
    """Check the arguments that a command has in common with others, then let it import torch, which takes seconds.

    Args:
        command: as it is typed after ``phq``.
        run: folder or checkpoint file.
        pretrained: name of an embedded generator.
        seeds: list of seeds.
        conditioning: the camera that people are conditioned on.
        files: to write, none of which may exist.
        suffixes: that their names may end in.
        folder: to write, new or empty.

    Raises:
        ConfigError: see `open_generator` and `phq.generator.use.arguments`.
        InputError: there is no such run.
        OutputError: see `phq.generator.use.outputs`.
        MissingExtraError: see `phq.system.extras.needs_train`.
    """
    from phq.generator.use.arguments import parse_conditioning, parse_seeds
    from phq.generator.use.outputs import check_free, check_new_folder, check_suffix

    check_run(run, pretrained)
    parse_seeds(seeds)
    parse_conditioning(conditioning)
    for file in files:
        check_suffix(file, *suffixes)
    check_free(files)
    if folder is not None:
        check_new_folder(folder)
    with needs_train(f"phq {command}"):
        yield


def check_dataset_at(where: str) -> None:
    """Check that there is a dataset, without opening it.

    Raises:
        InputError: there is none.
    """
    from phq.dataset.reader import check_dataset
    from phq.dataset.root import Root

    check_dataset(Root(where))


def check_run(run: Path | None, pretrained: str | None) -> None:
    """Check what can be known of a generator without reading it.

    Args:
        run: folder or checkpoint file.
        pretrained: name of an embedded generator.

    Raises:
        ConfigError: both are given, or neither; no such name.
        InputError: there is no such run.
    """
    if (run is None) == (pretrained is None):
        raise ConfigError("name a RUN, or with --pretrained a generator that comes with phq, and not both")
    if pretrained is not None and pretrained not in generators():
        raise ConfigError(f"--pretrained {pretrained}: phq comes with {', '.join(generators()) or 'no generator'}")
    if run is not None and not run.exists():
        raise InputError(f"{run}: there is no such run or checkpoint")


def open_generator(run: Path | None, pretrained: str | None, device: str) -> Trained:
    """The generator of a run, or one that comes with phq.

    Args:
        run: folder or checkpoint file.
        pretrained: name of an embedded generator.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.

    Raises:
        ConfigError: both are given, or neither; no such name or device.
        InputError: the run cannot be read.
    """
    from phq.generator.use.opening import open_pretrained, open_trained

    check_run(run, pretrained)
    if run is not None:
        return open_trained(run, device)
    assert pretrained is not None
    return open_pretrained(pretrained, device)


def open_cast(
    run: Path | None,
    pretrained: str | None,
    seeds: str,
    truncation: float,
    conditioning: str,
    latent: Path | None,
    device: str,
) -> tuple[Cast, Person | None]:
    """The people of seeds, and the one of a latent, who is shown in their place if there is one."""
    from phq.generator.use.arguments import parse_conditioning, parse_seeds
    from phq.generator.use.latents import read_latent
    from phq.generator.use.people import Cast

    numbers, condition = parse_seeds(seeds), parse_conditioning(conditioning)
    trained = open_generator(run, pretrained, device)
    person = None if latent is None else read_latent(latent, trained)
    return Cast(trained, tuple(numbers), truncation, condition), person
