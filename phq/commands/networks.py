"""The commands about networks: ``phq weights …`` and ``phq backends …``."""

from __future__ import annotations

from typing import Annotated

import typer

from phq.commands.ending import ExitCode
from phq.commands.output import echo

Names = Annotated[list[str] | None, typer.Argument(help="Names as in 'phq weights list'.", show_default="all")]


def list_weights_command() -> None:
    """List all weights, their licences, and which of them are on this machine."""
    from phq.weights.report import listing

    for line in listing():
        echo(line)


def pull_weights_command(
    names: Annotated[list[str], typer.Argument(help="Names as in 'phq weights list'.", show_default=False)],
    *,
    offline: Annotated[bool, typer.Option("--offline", help="Do not connect, as with PHQ_OFFLINE=1.")] = False,
) -> None:
    """Download weights into the cache and check them; an interrupted download is continued."""
    from phq.weights import whenet
    from phq.weights.catalogue import remote
    from phq.weights.report import pulled
    from phq.weights.store import pull

    for name in [remote(name).name for name in names]:  # an unknown name is reported before anything is downloaded
        echo(pulled(pull(name, connect=False if offline else None, quiet=False)))
        if name == whenet.NAME:
            echo(f"converted to {whenet.whenet_file()}")


def verify_weights_command(names: Names = None) -> None:
    """Read every byte of the weights on this machine; exit code 1 if a file is damaged or missing."""
    from phq.weights.report import verified

    lines, sound = verified(names or ())
    for line in lines:
        echo(line)
    if not sound:
        raise typer.Exit(ExitCode.FOUND)


def licences_command(names: Names = None) -> None:
    """Print the licence and source of each file of weights."""
    from phq.weights.report import licences

    for line in licences(names or ()):
        echo(line)


def list_backends_command() -> None:
    """List the back ends for every slot, whether they can be used here, and their licences."""
    from phq.detect.backends.report import listing

    for line in listing():
        echo(line)


def check_backend_command(
    slot: Annotated[
        str,
        typer.Argument(
            help="detector, skeleton, landmarks, face, body, headpose, identity or mask.", show_default=False
        ),
    ],
    spec: Annotated[str, typer.Argument(help="As in the configuration: NAME or NAME:WEIGHTS.", show_default=False)],
    *,
    photos: Annotated[
        str,
        typer.Option(help="A few photos with people: folder, list, image or glob.", show_default=False),
    ],
) -> None:
    """Check that a back end keeps to its protocol; exit code 1 if it does not."""
    from phq.detect.backends.report import checked

    violations = list(checked(slot, spec, photos))
    for line in violations:
        echo(line)
    echo(f"{slot} {spec}: {f'{len(violations)} violations' if violations else 'conforms'}")
    if violations:
        raise typer.Exit(ExitCode.FOUND)
