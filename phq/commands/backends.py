"""The commands ``phq backends …``."""

from __future__ import annotations

from typing import Annotated

import typer

backends_app = typer.Typer(help="Networks that may stand at each place of the pipeline.", no_args_is_help=True)


@backends_app.command("list")
def list_command() -> None:
    """Every name at every place, whether it can be used here, and its licence."""
    from phq.detect.backends.report import listing

    for line in listing():
        typer.echo(line)


@backends_app.command("check")
def check_command(
    place: Annotated[str, typer.Argument(help="detector, skeleton, landmarks, face, identity or mask.")],
    word: Annotated[str, typer.Argument(help="As in the configuration: NAME or NAME:WEIGHTS.")],
    photos: Annotated[str, typer.Argument(help="A few photos with people in them: folder, list, image or glob.")],
) -> None:
    """Does a back end keep to its protocol? Exit code 1 if it does not."""
    from phq.detect.backends.report import checked

    said = list(checked(place, word, photos))
    for line in said:
        typer.echo(line)
    typer.echo(f"{place} {word}: {f'{len(said)} complaints' if said else 'conforms'}")
    if said:
        raise typer.Exit(1)
