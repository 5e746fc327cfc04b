"""Arguments and options that several commands share, each defined once."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from functools import wraps
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

import typer

from phq.building.executors.choice import PHOTO_TIMEOUT_S, SETUP_TIMEOUT_S, Engine, Execution, workers_of
from phq.commands.output import echo
from phq.errors import ConfigError
from phq.system.logs import STDOUT, opened_log

_CONFIGURATION, _RUNNING = "Configuration", "Running"

Dataset = Annotated[str, typer.Argument(help="Folder or URL of a phq dataset.", show_default=False)]
LocalDataset = Annotated[Path, typer.Argument(help="Folder of a phq dataset.", show_default=False)]
Photos = Annotated[
    str | None,
    typer.Option(help="Folder, list (.txt) or glob of the photos; found by sha256.", show_default="stored crops"),
]
Revision = Annotated[str, typer.Option(help="Labels to read: none (as built), the name of an overlay, or latest.")]
OverlayName = Annotated[str, typer.Option(help="Name of the new overlay.", show_default=False)]
Body = Annotated[
    str | None, typer.Option(help="SMPL file to draw the labels with that are for it.", show_default="embedded body")
]
Where = Annotated[
    str | None, typer.Option(help='Only samples for which this SQL condition holds, as "p_flip > 0.02".',
                             show_default="all samples")
]  # fmt: skip
Seed = Annotated[int, typer.Option(min=0, help="Random seed.")]
SplitSeed = Annotated[int | None, typer.Option(min=0, help="Random seed of the split.", show_default="0")]
ValFraction = Annotated[float, typer.Option(min=0, max=0.99, help="Fraction of the samples in the split val.")]
Sidecar = Annotated[
    Path | None,
    typer.Option(help="CSV or JSON: path; licence, author, source, identity, consent.", show_default="none"),
]
FolderOut = Annotated[Path, typer.Option(help="New or empty folder to write.", show_default=False)]


def refuse_given(what: str, options: Mapping[str, object]) -> None:
    """Refuse options that mean something only beside another one.

    Args:
        what: that option.
        options: by name, None where it was not given.

    Raises:
        ConfigError: one of them was given.
    """
    for name, value in options.items():
        if value is not None:
            raise ConfigError(f"{name} belongs to {what}, which is not given")


def preset_names(package: str) -> str:
    """Names of the presets of a package, as a phrase, without loading its configuration."""
    spec = find_spec(package)
    assert spec is not None and spec.submodule_search_locations
    *names, last = sorted(path.stem for path in Path(spec.submodule_search_locations[0], "presets").glob("*.toml"))
    return f"{', '.join(names)} or {last}"


def preset_option(package: str, default: str) -> Any:
    """The option ``--preset`` of a package with presets."""
    names = f"Preset: {preset_names(package)}."
    return typer.Option(help=names, show_default=default, rich_help_panel=_CONFIGURATION)


ConfigFile = Annotated[
    Path | None, typer.Option(help="TOML file over the preset.", show_default="none", rich_help_panel=_CONFIGURATION)
]


def set_option(example: str) -> Any:
    """The option ``--set``."""
    return typer.Option(
        "--set", help=f"One setting over both, as {example} (repeatable).", metavar="KEY=VALUE", show_default="none",
        rich_help_panel=_CONFIGURATION,
    )  # fmt: skip


Sets = Annotated[list[str] | None, set_option("blur.min=0.3; off removes a threshold")]
GanSets = Annotated[list[str] | None, set_option("training.batch=16")]
Workers = Annotated[
    int | None,
    typer.Option(
        parser=workers_of, metavar="N|auto", show_default="auto", rich_help_panel=_RUNNING,
        help="Worker processes; auto: as many as cores and memory have room for.",
    ),
]  # fmt: skip

_RUN: dict[str, tuple[Any, Any]] = {
    "workers": (Workers, None),
    "executor": (
        Annotated[Engine, typer.Option(help="Where the work is done.", rich_help_panel=_RUNNING)],
        Engine.processes,
    ),
    "address": (
        Annotated[str | None, typer.Option(help="Ray cluster, or auto.", show_default="one on this machine",
                                           rich_help_panel=_RUNNING)],
        None,
    ),
    "gpus_per_worker": (
        Annotated[float, typer.Option(min=0, help="GPUs that Ray reserves for each worker.", rich_help_panel=_RUNNING)],
        0.0,
    ),
    "device": (
        Annotated[str | None, typer.Option(help="Device of the networks: auto, cpu, cuda:N, tensorrt:N, directml:N or "
                                           "coreml:N.", show_default="cpu", rich_help_panel=_RUNNING)],
        None,
    ),
    "photo_timeout": (
        Annotated[float, typer.Option(min=0, help="Seconds a photo may take; 0: any.", rich_help_panel=_RUNNING)],
        PHOTO_TIMEOUT_S,
    ),
    "setup_timeout": (
        Annotated[float, typer.Option(min=0, help="Seconds a worker may take to start; 0: any.",
                                      rich_help_panel=_RUNNING)],
        SETUP_TIMEOUT_S,
    ),
    "log_json": (
        Annotated[str | None, typer.Option(help="File to append a JSON object a line to; - is the standard output.",
                                           metavar="FILE|-", show_default="none", rich_help_panel=_RUNNING)],
        None,
    ),
}  # fmt: skip
"""Annotation and default of the options of a run."""


def run_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options of a run; it receives them as one argument, `execution`."""
    signature = inspect.signature(command, eval_str=True)
    own = [parameter for name, parameter in signature.parameters.items() if name != "execution"]
    added = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
        for name, (annotation, default) in _RUN.items()
    ]

    @wraps(command)
    def wrapped(**options: Any) -> Any:
        with _execution(**{name: options.pop(name) for name in _RUN}) as execution:
            return command(**options, execution=execution)

    parameters = [*own, *added]
    wrapped.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    wrapped.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return wrapped


@contextmanager
def _execution(*, executor: Engine, device: str | None, log_json: str | None, **options: Any) -> Iterator[Execution]:
    if device is not None:
        from phq.weights.devices import use_device  # ONNX Runtime: not for --help

        echo(use_device(device), err=True)
    with opened_log(log_json) as log, redirect_stdout(sys.stderr if log_json == STDOUT else sys.stdout):
        yield Execution(engine=executor, log=log, **options)
