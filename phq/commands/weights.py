"""The commands ``phq weights …``."""

from __future__ import annotations

from typing import Annotated

import typer

weights_app = typer.Typer(help="Weights of the other back ends: download and check.", no_args_is_help=True)

DeviceOption = Annotated[
    str | None,
    typer.Option("--device", help="auto, cpu, cuda:N, tensorrt:N, directml:N or coreml:N. (cpu if not said)"),
]


def choose_device(text: str | None) -> None:
    """Let networks run where ``--device`` says, and tell what runs where."""
    if text is None:
        return
    from phq.weights.devices import use_device

    typer.echo(use_device(text), err=True)


Names = Annotated[list[str] | None, typer.Argument(help="Names as in 'phq weights list'. [default: all]")]


@weights_app.command("list")
def list_command() -> None:
    """What there is, and what of it is here."""
    from phq.weights.report import listing

    for line in listing():
        typer.echo(line)


@weights_app.command("pull")
def pull_command(
    names: Annotated[list[str], typer.Argument(help="Names as in 'phq weights list'.")],
    offline: Annotated[bool, typer.Option("--offline", help="Connect to nothing; as PHQ_OFFLINE=1.")] = False,
) -> None:
    """Download into the cache; what was cut short is continued, what is there is checked."""
    from phq.weights.catalogue import remote
    from phq.weights.report import pulled
    from phq.weights.store import pull

    for name in [remote(name).name for name in names]:  # an unknown name is told before anything is downloaded
        typer.echo(pulled(pull(name, connect=False if offline else None, quiet=False)))


@weights_app.command("verify")
def verify_command(names: Names = None) -> None:
    """Read every byte of what is here, embedded and downloaded; exit code 1 if a file is damaged or missing."""
    from phq.weights.report import verified

    lines, sound = verified(names or ())
    for line in lines:
        typer.echo(line)
    if not sound:
        raise typer.Exit(1)


@weights_app.command("licences")
def licences_command(names: Names = None) -> None:
    """Licence and source of each."""
    from phq.weights.report import licences

    for line in licences(names or ()):
        typer.echo(line)
