"""The command ``phq decide``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def decide_command(
    dataset: Annotated[Path, typer.Argument(help="Folder of a phq dataset; its shards stay as they are.")],
    set_: Annotated[list[str] | None, typer.Option("--set", help="key=value, e.g. blur.min=0.3 (repeatable).")] = None,
    config: Annotated[Path | None, typer.Option(help="TOML file over the preset.")] = None,
    preset: Annotated[str | None, typer.Option(help="[default: the thresholds in force]")] = None,
    pictures: Annotated[Path | None, typer.Option(help="Who would enter and leave: an .html or .png file.")] = None,
    apply: Annotated[bool, typer.Option("--apply", help="Make it so, as an overlay; without, only say.")] = False,
    name: Annotated[str | None, typer.Option(help="What to call the overlay. [default: decide-N]")] = None,
) -> None:
    """Keep or reject, decided again from the stored scores."""
    from phq.decisions.decide import decide_dataset
    from phq.decisions.moves import moves_text
    from phq.decisions.overlay import apply as write  # Arrow: not for --help
    from phq.decisions.overlay import free_name
    from phq.view.decision_pictures import write_pictures

    decided = decide_dataset(dataset, preset=preset, config=config, sets=set_ or ())
    typer.echo(moves_text(decided))
    if pictures is not None:
        write_pictures(pictures, decided)
        typer.echo(f"pictures   {pictures}")
    if not apply:
        typer.echo("nothing is written; --apply makes it so")
        return
    called = name or free_name(decided)
    count = write(decided, called)
    typer.echo(f"overlay {called}   speaks of {count} samples")
