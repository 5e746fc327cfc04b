"""The command ``phq synth``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def synth_command(  # noqa: PLR0913, PLR0917 - one parameter an option
    out: Annotated[Path, typer.Argument(help="Folder of the dataset; an interrupted call is continued.")],
    count: Annotated[int, typer.Option(min=1, help="Number of portraits.")],
    size: Annotated[int, typer.Option(min=64, max=2048, help="Side of the pictures, pixels.")] = 256,
    seed: Annotated[int, typer.Option(min=0, help="Seed of everything random.")] = 0,
    pose_noise: Annotated[
        float, typer.Option(min=0, max=60, help="Overlay 'coarse': neck and head off by this many degrees an axis.")
    ] = 0.0,
    val: Annotated[float, typer.Option(min=0, max=0.99, help="Fraction in the split val.")] = 0.05,
    pitch: Annotated[float, typer.Option(min=0, max=30, help="Spread of the camera's pitch, degrees.")] = 10.0,
    roll: Annotated[float, typer.Option(min=0, max=30, help="Spread of the camera's roll, degrees.")] = 4.0,
    turn: Annotated[float, typer.Option(min=0, max=45, help="Spread of the head's yaw on the torso, degrees.")] = 25.0,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes. [default: one a core]")] = None,
) -> None:
    """Draw a dataset of made-up people with exact cameras, poses and masks. Needs no photos and no network."""
    from phq.synth.synthesising import synthesise  # numpy and Arrow: not for --help
    from phq.synth.views import Spread

    spread = Spread(pitch=pitch, roll=roll, turn=turn, pose_noise=pose_noise)
    done = synthesise(out, count, size=size, seed=seed, val=val, spread=spread, workers=workers, quiet=False)
    typer.echo(f"{len(done.kept)} portraits   {done.out}   contact sheet: {done.out / 'contact-sheet.png'}")
    if done.overlays:
        typer.echo(f"overlay {done.overlays[0]}: perturbed poses of neck and head; --overlay none reads the exact ones")
