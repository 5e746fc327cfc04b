"""Arguments and options that name a trained generator, and its people."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from phq.errors import ConfigError
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

    if run is not None and pretrained is None:
        return open_trained(run, device)
    if run is None and pretrained is not None:
        return open_pretrained(pretrained, device)
    raise ConfigError("name a RUN, or with --pretrained a generator that comes with phq, and not both")


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
