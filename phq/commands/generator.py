"""The commands ``phq sample``, ``orbit``, ``mesh``, ``invert`` and ``viewer``."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from phq.errors import ConfigError
from phq.system.extras import needs_train

if TYPE_CHECKING:
    from phq.generator.use.opening import Trained
    from phq.generator.use.people import Cast, Person

Run = Annotated[Path, typer.Argument(help="Folder of a training run, or one of its checkpoints' files.")]
Seeds = Annotated[str, typer.Option(help="Latents: numbers and ranges, such as 0-9,12.")]
Truncation = Annotated[float, typer.Option("--truncation", "--psi", min=-1, max=2, help="ψ: 0 is the average person.")]
Pose = Annotated[str, typer.Option(help="own, rest, or yaws of neck and head in degrees: 10,20.")]
Pitch = Annotated[float, typer.Option(min=-85, max=85, help="Of the camera, degrees, + above.")]
Radius = Annotated[float, typer.Option(min=1.5, max=6, help="Of the camera from the neck, metres.")]
Conditioning = Annotated[
    str, typer.Option(help="Camera that the person is conditioned on: front, same (the rendering one), or YAW,PITCH.")
]
Latent = Annotated[Path | None, typer.Option(help="Folder of phq invert: that person in place of a seed's.")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")]


def sample_command(  # noqa: PLR0913, PLR0917 - one parameter an option
    run: Run,
    out: Annotated[Path, typer.Option(help="Folder of the pictures.")],
    seeds: Seeds = "0-9",
    truncation: Truncation = 1.0,
    pose: Pose = "own",
    yaw: Annotated[float, typer.Option(help="Of the camera, degrees, + on the subject's left.")] = 0.0,
    pitch: Pitch = 0.0,
    radius: Radius = 2.7,
    conditioning: Conditioning = "front",
    mask: Annotated[bool, typer.Option("--mask", help="Also the mask.")] = False,
    depth: Annotated[bool, typer.Option("--depth", help="Also the depth, 16 bits, millimetres.")] = False,
    device: Device = "auto",
) -> None:
    """Draw people: a PNG and a json with camera, pose and seed for each."""
    from phq.generator.use.asking import parse_conditioning, parse_pose, parse_seeds

    numbers, posed, told = parse_seeds(seeds), parse_pose(pose), parse_conditioning(conditioning)
    with needs_train("phq sample"):  # torch: not for --help
        from phq.generator.use.cameras import camera_at
        from phq.generator.use.opening import open_trained
        from phq.generator.use.sampling import sample
    extras = [name for name, wanted in (("mask", mask), ("depth", depth)) if wanted]
    written = sample(
        open_trained(run, device), out, numbers, truncation=truncation, pose=posed,
        camera=camera_at(yaw, pitch, radius), conditioning=told, extras=extras,
    )  # fmt: skip
    typer.echo(f"{len(written)} pictures   {out}")


def orbit_command(  # noqa: PLR0913, PLR0917 - one parameter an option
    run: Run,
    out: Annotated[Path, typer.Option(help="The video, NAME.mp4.")],
    seeds: Seeds = "0",
    truncation: Truncation = 1.0,
    pose: Pose = "own",
    pitch: Pitch = 0.0,
    pitch_swing: Annotated[float, typer.Option(min=0, max=60, help="Degrees that the camera rises and sinks.")] = 0.0,
    radius: Radius = 2.7,
    conditioning: Conditioning = "front",
    frames: Annotated[int, typer.Option(min=1, help="Once around.")] = 120,
    fps: Annotated[int, typer.Option(min=1, max=120, help="Frames a second.")] = 30,
    latent: Latent = None,
    device: Device = "auto",
) -> None:
    """Film people from all around, side by side."""
    from phq.generator.use.asking import parse_pose

    posed = parse_pose(pose)
    if abs(pitch) + pitch_swing > 85:
        raise ConfigError(f"--pitch {pitch:g} and --pitch-swing {pitch_swing:g} lead beyond 85°")
    with needs_train("phq orbit"):
        from phq.generator.use.orbiting import film
    cast, person = _who(run, seeds, truncation, conditioning, latent, device)
    who = cast.people if person is None else lambda _camera: [person]
    film(who, out, frames=frames, fps=fps, pose=posed, pitch=pitch, pitch_swing=pitch_swing, radius=radius, quiet=False)
    typer.echo(f"{frames} frames   {out}")


def mesh_command(  # noqa: PLR0913, PLR0917 - one parameter an option
    run: Run,
    out: Annotated[list[Path], typer.Option(help="NAME.glb or NAME.ply (repeatable).")],
    seed: Annotated[int, typer.Option(min=0, help="Latent.")] = 0,
    truncation: Truncation = 1.0,
    pose: Pose = "rest",
    conditioning: Conditioning = "front",
    voxels: Annotated[int, typer.Option(min=8, max=1024, help="Of the grid, from bottom to top.")] = 192,
    level: Annotated[float, typer.Option(min=0.01, help="Density of the surface, 1 / metre.")] = 15.0,
    all_parts: Annotated[bool, typer.Option("--all-parts", help="Also what floats beside the largest part.")] = False,
    latent: Latent = None,
    device: Device = "auto",
) -> None:
    """The surface of a person with vertex colours; metres, y up, the face towards +z."""
    from phq.generator.use.asking import parse_pose

    posed = parse_pose(pose)
    with needs_train("phq mesh"):
        from phq.generator.use.cameras import camera_at
        from phq.generator.use.meshing import write_mesh
    cast, person = _who(run, str(seed), truncation, conditioning, latent, device)
    person = person or cast.people(camera_at(0.0))[0]
    surface = write_mesh(person, out, pose=posed, voxels=voxels, level=level, largest=not all_parts)
    typer.echo(f"{len(surface.vertices)} vertices, {len(surface.faces)} triangles   {', '.join(map(str, out))}")


def invert_command(  # noqa: PLR0913, PLR0917 - one parameter an option
    run: Run,
    out: Annotated[Path, typer.Option(help="Folder of the result; new or empty.")],
    photo: Annotated[Path | None, typer.Argument(help="Any photo of a person. Read only.")] = None,
    person: Annotated[int | None, typer.Option(help="Number in the photo, from 0, left to right.")] = None,
    dataset: Annotated[str | None, typer.Option(help="Dataset, in place of a photo.")] = None,
    key: Annotated[str | None, typer.Option(help="Sample of the dataset; the beginning of its key will do.")] = None,
    overlay: Annotated[str, typer.Option(help="State of the dataset's labels.")] = "latest",
    steps: Annotated[int, typer.Option(min=1, help="Of latent and pose.")] = 300,
    tune: Annotated[int, typer.Option(min=0, help="Steps of the generator's weights after that.")] = 0,
    seed: Annotated[int, typer.Option(min=0, help="Of the noise.")] = 0,
    frames: Annotated[int, typer.Option(min=0, help="Of an orbit video; 0 for none.")] = 0,
    device: Device = "auto",
) -> None:
    """Find the latent and pose that a photo is drawn from, and show the person from other sides."""
    if (photo is None) == (dataset is None) or (dataset is None) != (key is None):
        raise ConfigError("phq invert takes a PHOTO, or --dataset and --key")
    with needs_train("phq invert"):
        from phq.generator.use.inverting import invert
        from phq.generator.use.opening import open_trained
        from phq.generator.use.placing import check_new_folder
        from phq.generator.use.target import from_dataset, from_photo
    check_new_folder(out)
    trained = open_trained(run, device)
    side = trained.g.config.resolution
    if dataset is not None and key is not None:
        target = from_dataset(dataset, key, side, overlay)
    else:
        assert photo is not None
        target = from_photo(photo, side, person)
        if person is None and target.about["people"] > 1:
            number = target.about["person"]
            typer.echo(f"{target.about['people']} people; number {number} has the largest head (--person)")
    done = invert(trained, target, out, steps=steps, tune=tune, seed=seed, frames=frames, quiet=False)
    first, last = done.fit.curve[0], done.fit.curve[-1]
    typer.echo(f"difference {first['total']:.3f} -> {last['total']:.3f}   {out / 'views.png'}")


def viewer_command(
    run: Run,
    seed: Annotated[int, typer.Option(min=0, help="Latent at first.")] = 0,
    truncation: Annotated[float, typer.Option("--truncation", "--psi", min=0, max=1, help="ψ at first.")] = 0.7,
    latent: Latent = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="The next free one is taken if it is not.")] = 8080,
    device: Device = "auto",
) -> None:
    """A page on this machine on which people are turned by dragging; Ctrl-C ends it."""
    with needs_train("phq viewer"):
        from phq.generator.use.cameras import camera_at
        from phq.generator.use.people import people
        from phq.generator.use.viewing import View
    cast, person = _who(run, str(seed), truncation, "front", latent, device)

    def draw(number: int, psi: float) -> Person:
        return person or people(cast.trained, [number], camera_at(0.0), psi)[0]

    with View(draw, None if person else seed, truncation, port) as view:
        typer.echo(f"{view.url}   Ctrl-C ends it")
        try:
            while True:
                time.sleep(1)
        except KeyboardInterrupt:
            typer.echo("")


def _who(
    run: Path, seeds: str, truncation: float, conditioning: str, latent: Path | None, device: str
) -> tuple[Cast, Person | None]:
    """The people of seeds, and the one of a latent, who is meant if there is one."""
    from phq.generator.use.asking import parse_conditioning, parse_seeds
    from phq.generator.use.latents import read_latent
    from phq.generator.use.opening import open_trained
    from phq.generator.use.people import Cast

    numbers, told = parse_seeds(seeds), parse_conditioning(conditioning)
    trained: Trained = open_trained(run, device)
    person = None if latent is None else read_latent(latent, trained)
    return Cast(trained, tuple(numbers), truncation, told), person
