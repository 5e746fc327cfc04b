"""The commands ``phq gan …`` that draw what a trained generator has learned: pictures, videos, meshes, a page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from phq.commands.options import FolderOut, Revision, Seed
from phq.commands.output import echo
from phq.commands.trained import (
    Conditioning,
    Device,
    Latent,
    Pitch,
    Pose,
    Pretrained,
    Radius,
    Run,
    Seeds,
    Truncation,
    Yaw,
    check_dataset_at,
    drawing,
    open_cast,
    open_generator,
)
from phq.errors import ConfigError, InputError

if TYPE_CHECKING:
    from phq.generator.use.people import Person


def sample_command(  # noqa: PLR0913 - one parameter an option
    run: Run = None,
    *,
    pretrained: Pretrained = None,
    out: Annotated[Path, typer.Option(help="Folder of the pictures.", show_default=False)],
    seeds: Seeds = "0-9",
    truncation: Truncation = 1.0,
    pose: Pose = "own",
    yaw: Yaw = 0.0,
    pitch: Pitch = 0.0,
    radius: Radius = 2.7,
    conditioning: Conditioning = "front",
    mask: Annotated[bool, typer.Option("--mask", help="Write the mask too.")] = False,
    depth: Annotated[bool, typer.Option("--depth", help="Write the depth too: 16 bits, millimetres.")] = False,
    device: Device = "auto",
) -> None:
    """Draw people: for each a PNG, and a json with camera, pose and seed."""
    from phq.generator.use.arguments import parse_conditioning, parse_pose, parse_seeds

    numbers, posed, condition = parse_seeds(seeds), parse_pose(pose), parse_conditioning(conditioning)
    with drawing("gan sample", run, pretrained):  # torch: not for --help
        from phq.generator.use.sampling import sample
    extras = [name for name, wanted in (("mask", mask), ("depth", depth)) if wanted]
    trained = open_generator(run, pretrained, device)
    written = sample(
        trained, out, numbers, truncation=truncation, pose=posed,
        camera=trained.camera_at(yaw, pitch, radius), conditioning=condition, extras=extras,
    )  # fmt: skip
    echo(f"{len(written)} pictures   {out}")


def orbit_command(  # noqa: PLR0913 - one parameter an option
    run: Run = None,
    *,
    pretrained: Pretrained = None,
    out: Annotated[Path, typer.Option(help="Video to write, NAME.mp4.")] = Path("orbit.mp4"),
    seeds: Seeds = "0",
    truncation: Truncation = 1.0,
    pose: Pose = "own",
    pitch: Pitch = 0.0,
    pitch_swing: Annotated[float, typer.Option(min=0, max=60, help="Degrees that the camera rises and sinks.")] = 0.0,
    radius: Radius = 2.7,
    conditioning: Conditioning = "front",
    frames: Annotated[int, typer.Option(min=1, help="Frames of the whole turn.")] = 120,
    fps: Annotated[int, typer.Option(min=1, max=120, help="Frames a second.")] = 30,
    latent: Latent = None,
    device: Device = "auto",
) -> None:
    """Film people from all around, side by side."""
    from phq.generator.use.arguments import parse_pose

    posed = parse_pose(pose)
    if abs(pitch) + pitch_swing > 85:
        raise ConfigError(f"--pitch {pitch:g} and --pitch-swing {pitch_swing:g} lead beyond 85°")
    with drawing("gan orbit", run, pretrained, seeds=seeds, conditioning=conditioning, files=[out], suffixes=[".mp4"]):
        from phq.generator.use.orbiting import film
    cast, person = open_cast(run, pretrained, seeds, truncation, conditioning, latent, device)
    shown = cast.people if person is None else lambda _camera: [person]
    film(
        shown, out, frames=frames, fps=fps, pose=posed, pitch=pitch, pitch_swing=pitch_swing, radius=radius,
        lens=cast.trained.g.config.camera, quiet=False,
    )  # fmt: skip
    echo(f"{frames} frames   {out}")


def morph_command(  # noqa: PLR0913 - one parameter an option
    run: Run = None,
    *,
    pretrained: Pretrained = None,
    out: Annotated[Path, typer.Option(help="Video to write, NAME.mp4.", show_default=False)],
    seeds: Seeds = "0-3",
    truncation: Truncation = 0.7,
    frames: Annotated[int, typer.Option(min=1, help="Frames from one person to the next.")] = 60,
    fps: Annotated[int, typer.Option(min=1, max=120, help="Frames a second.")] = 30,
    swing: Annotated[float, typer.Option(min=0, max=180, help="Degrees that the camera goes to either side.")] = 30.0,
    device: Device = "auto",
) -> None:
    """Film people who become one another."""
    with drawing("gan morph", run, pretrained, seeds=seeds, files=[out], suffixes=[".mp4"]):
        from phq.generator.use.morphing import morph
    cast, _ = open_cast(run, pretrained, seeds, truncation, "front", None, device)
    shown = cast.people(cast.trained.camera_at(0.0))
    morph(shown, cast.trained, out, frames=frames, fps=fps, swing=swing, quiet=False)
    echo(f"{frames * len(shown)} frames   {out}")


def act_command(  # noqa: PLR0913 - one parameter an option
    run: Run = None,
    *,
    pretrained: Pretrained = None,
    out: Annotated[Path, typer.Option(help="Video to write, NAME.mp4.", show_default=False)],
    poses: Annotated[
        str, typer.Option(help="turn, nod, tilt, or a dataset whose poses are taken in the order of its keys.")
    ] = "turn",
    seed: Annotated[int, typer.Option(min=0, help="Seed of the latent.")] = 0,
    truncation: Truncation = 0.7,
    degrees: Annotated[float, typer.Option(min=0, max=60, help="Angle to either side of turn, nod and tilt.")] = 25.0,
    frames: Annotated[int, typer.Option(min=1, help="Frames of turn, nod and tilt.")] = 90,
    fps: Annotated[int, typer.Option(min=1, max=120, help="Frames a second.")] = 30,
    yaw: Yaw = 0.0,
    latent: Latent = None,
    device: Device = "auto",
) -> None:
    """Film a person whose neck and head move, or move as those of a video that phq build has read."""
    with drawing("gan act", run, pretrained, files=[out], suffixes=[".mp4"]):
        from phq.generator.use.morphing import MOVES, act, moved, poses_of
    cast, person = open_cast(run, pretrained, str(seed), truncation, "front", latent, device)
    person = person or cast.people(cast.trained.camera_at(0.0))[0]
    driven = moved(poses, frames, degrees) if poses in MOVES else poses_of(poses)
    act(person, cast.trained, driven, out, fps=fps, yaw=yaw, quiet=False)
    echo(f"{len(driven)} frames   {out}")


def sweep_command(
    run: Run = None,
    *,
    pretrained: Pretrained = None,
    out: Annotated[Path, typer.Option(help="Picture to write, NAME.png.", show_default=False)],
    seeds: Seeds = "0-3",
    truncations: Annotated[str, typer.Option(help="Truncations ψ, a column each.")] = "-0.7,0,0.35,0.7,1",
    yaw: Yaw = 0.0,
    device: Device = "auto",
) -> None:
    """Draw people side by side at several truncations."""
    from phq.generator.use.arguments import parse_numbers, parse_seeds

    numbers, psis = parse_seeds(seeds), parse_numbers(truncations, "--truncations")
    with drawing("gan sweep", run, pretrained, files=[out], suffixes=[".png"]):
        from phq.generator.use.sheets import sweep
    sweep(open_generator(run, pretrained, device), numbers, psis, out, yaw=yaw)
    echo(f"{len(numbers)} people, {len(psis)} truncations   {out}")


def mix_command(  # noqa: PLR0913 - one parameter an option
    run: Run = None,
    *,
    pretrained: Pretrained = None,
    out: Annotated[Path, typer.Option(help="Picture to write, NAME.png.", show_default=False)],
    seeds: Seeds = "0-3",
    styles: Annotated[str, typer.Option(help="Seeds of those whose styles are taken, a column each.")] = "4-7",
    layers: Annotated[
        str, typer.Option(help="Layers that take them: numbers and ranges, from 0, coarse to fine.")
    ] = "6-8",
    truncation: Truncation = 0.7,
    yaw: Yaw = 0.0,
    device: Device = "auto",
) -> None:
    """Draw people with the styles of others in some layers (style mixing)."""
    from phq.generator.use.arguments import parse_seeds

    numbers, others = parse_seeds(seeds), parse_seeds(styles, "--styles")
    chosen = parse_seeds(layers, "--layers")
    with drawing("gan mix", run, pretrained, files=[out], suffixes=[".png"]):
        from phq.generator.use.sheets import mix
    mix(open_generator(run, pretrained, device), numbers, others, chosen, out, truncation=truncation, yaw=yaw)
    echo(f"{len(numbers)} people, {len(others)} styles   {out}")


def mesh_command(  # noqa: PLR0913 - one parameter an option
    run: Run = None,
    *,
    pretrained: Pretrained = None,
    out: Annotated[
        list[Path],
        typer.Option(help="File to write, NAME.glb, NAME.ply or the volume NAME.mrc (repeatable).", show_default=False),
    ],
    seed: Annotated[int, typer.Option(min=0, help="Seed of the latent.")] = 0,
    truncation: Truncation = 1.0,
    pose: Pose = "rest",
    conditioning: Conditioning = "front",
    voxels: Annotated[int, typer.Option(min=8, max=1024, help="Voxels of the grid from bottom to top.")] = 192,
    level: Annotated[float, typer.Option(min=0.01, help="Density of the surface, 1 / metre.")] = 15.0,
    all_parts: Annotated[bool, typer.Option("--all-parts", help="Keep parts that float beside the largest.")] = False,
    latent: Latent = None,
    device: Device = "auto",
) -> None:
    """Write the surface of a person with vertex colours; metres, y up, the face towards +z."""
    from phq.generator.use.arguments import parse_pose

    posed = parse_pose(pose)
    suffixes = (".glb", ".ply", ".mrc")
    with drawing("gan mesh", run, pretrained, conditioning=conditioning, files=out, suffixes=suffixes):
        from phq.generator.use.meshing import write_mesh
    cast, person = open_cast(run, pretrained, str(seed), truncation, conditioning, latent, device)
    person = person or cast.people(cast.trained.camera_at(0.0))[0]
    surface = write_mesh(person, out, pose=posed, voxels=voxels, level=level, largest=not all_parts)
    echo(f"{len(surface.vertices)} vertices, {len(surface.faces)} triangles   {', '.join(map(str, out))}")


def invert_command(  # noqa: PLR0913 - one parameter an option
    run: Run = None,
    photo: Annotated[Path | None, typer.Argument(help="Any photo of a person. Read only.", show_default=False)] = None,
    *,
    pretrained: Pretrained = None,
    out: FolderOut,
    person: Annotated[
        int | None,
        typer.Option(help="Number of the person, from 0, left to right.", show_default="the largest head"),
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(help="Folder or URL of a dataset, in place of a photo.", metavar="DATASET", show_default="none"),
    ] = None,
    key: Annotated[
        str | None, typer.Option(help="Key of a sample of the dataset, or its beginning.", show_default="none")
    ] = None,
    revision: Revision = "latest",
    steps: Annotated[int, typer.Option(min=1, help="Optimisation steps of latent and pose.")] = 300,
    tune: Annotated[int, typer.Option(min=0, help="Steps of the generator's weights after that.")] = 0,
    seed: Seed = 0,
    frames: Annotated[int, typer.Option(min=0, help="Frames of an orbit video; 0: none.")] = 0,
    device: Device = "auto",
) -> None:
    """Find the latent and pose that a photo is drawn from, and show the person from other sides."""
    if pretrained is not None and photo is None:
        run, photo = None, run  # the one argument is the photo
    if (photo is None) == (data is None) or (data is None) != (key is None):
        raise ConfigError("phq gan invert takes a PHOTO, or --data and --key")
    if photo is not None and not photo.is_file():
        raise InputError(f"{photo}: there is no such photo")
    if data is not None:
        check_dataset_at(data)
    with drawing("gan invert", run, pretrained, folder=out):
        from phq.generator.use.inverting import invert
        from phq.generator.use.target import from_dataset, from_photo
    trained = open_generator(run, pretrained, device)
    side = trained.g.config.resolution
    if data is not None and key is not None:
        target = from_dataset(data, key, side, revision)
    else:
        assert photo is not None
        target = from_photo(photo, side, person)
        if person is None and target.about["people"] > 1:
            number = target.about["person"]
            echo(f"{target.about['people']} people; number {number} has the largest head (--person)")
    done = invert(trained, target, out, steps=steps, tune=tune, seed=seed, frames=frames, quiet=False)
    first, last = done.fit.curve[0], done.fit.curve[-1]
    echo(f"difference {first['total']:.3f} -> {last['total']:.3f}   {out / 'views.png'}")


def view_command(
    run: Run = None,
    *,
    pretrained: Pretrained = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the latent at first.")] = 0,
    truncation: Annotated[float, typer.Option(min=0, max=1, help="Truncation ψ at first.")] = 0.7,
    latent: Latent = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; if it is taken, the next free one.")] = 8080,
    device: Device = "auto",
) -> None:
    """Serve a page on this machine on which people are turned by dragging; Ctrl-C ends it."""
    with drawing("gan view", run, pretrained):
        from phq.generator.use.people import people
        from phq.generator.use.viewing import View
    cast, person = open_cast(run, pretrained, str(seed), truncation, "front", latent, device)

    def draw(number: int, psi: float) -> Person:
        return person or people(cast.trained, [number], cast.trained.camera_at(0.0), psi)[0]

    with View(draw, None if person else seed, truncation, port, cast.trained.g.config.camera) as view:
        echo(f"{view.url}   Ctrl-C ends it")
        _wait()
        echo()


def _wait() -> None:
    """Until Ctrl-C."""
    import time
    from contextlib import suppress

    with suppress(KeyboardInterrupt):
        while True:
            time.sleep(1)
