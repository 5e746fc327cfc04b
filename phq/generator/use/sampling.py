"""`sample`: pictures of seeds with their labels. What ``phq gan sample`` does."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pil
from torch import Tensor

from phq.generator.networks.generator import Rendering
from phq.generator.train.preview import save_png, to_pixels
from phq.generator.use.arguments import OWN
from phq.generator.use.cameras import stated
from phq.generator.use.opening import Trained
from phq.generator.use.people import Cast, Person
from phq.schema import rounded
from phq.system.arrays import Floats
from phq.system.atomic import disk_errors_explained, write_bytes
from phq.system.publish import published
from phq.system.version import __version__

FORMAT = "phq-sample/1"


@dataclass(frozen=True)
class Picture:
    """One person, seen once."""

    seed: int
    person: Person
    camera: Tensor
    """(1, 25) that rendered."""
    condition: Tensor
    """(1, 25) of the mapping network."""
    pose: Tensor | None
    """(1, 6); None at rest."""
    seen: Rendering


@disk_errors_explained
def sample(  # noqa: PLR0913 (as many as the command has options)
    trained: Trained,
    out: str | Path,
    seeds: Sequence[int],
    *,
    truncation: float = 1.0,
    pose: Floats | str = OWN,
    camera: Tensor | None = None,
    conditioning: tuple[float, float] | None = (0.0, 0.0),
    extras: Sequence[str] = (),
) -> list[Path]:
    """Write ``seedNNNN.png`` and ``seedNNNN.json`` for each seed; the pictures' paths.

    Args:
        out: folder; made if needed. Its other files stay.
        seeds: of the latents.
        truncation: ψ, see `phq.generator.use.people.people`.
        pose: see `phq.generator.use.arguments.parse_pose`.
        camera: (1, 25) that renders; the front if None.
        conditioning: see `phq.generator.use.people.Cast`.
        extras: ``mask`` for ``-mask.png`` (grey, 255 where the person is), ``depth`` for ``-depth.png`` (16 bits,
            millimetres along the ray), both of the raw image's side.

    Raises:
        OutputError: a file of that name is there already, or cannot be written.
    """
    folder = Path(out)
    suffixes = (".png", ".json", *(f"-{name}.png" for name in extras))
    cast = Cast(trained, tuple(seeds), truncation, conditioning)
    with published(*(folder / (_stem(seed) + suffix) for seed in seeds for suffix in suffixes)) as staged:
        written = [_write(staged[0].parent, picture, cast, extras) for picture in pictures(cast, pose, camera)]
    return [folder / path.name for path in written]


def pictures(cast: Cast, pose: Floats | str = OWN, camera: Tensor | None = None) -> Iterator[Picture]:
    """Everybody of a cast, seen by one camera (1, 25), from the front if None."""
    camera = cast.trained.camera_at(0.0) if camera is None else camera
    for seed, person in zip(cast.seeds, cast.people(camera), strict=True):
        posed = person.posed(pose)
        yield Picture(seed, person, camera, cast.condition(camera), posed, person.seen(camera, posed))


def _stem(seed: int) -> str:
    return f"seed{seed:04d}"


def _write(folder: Path, picture: Picture, cast: Cast, extras: Sequence[str]) -> Path:
    path = folder / f"{_stem(picture.seed)}.png"
    save_png(path, to_pixels(picture.seen["image"]))
    for name in extras:
        write_bytes(path.with_name(f"{path.stem}-{name}.png"), _grey_png(_grey(name, picture.seen)))
    text = json.dumps(_labels(picture, cast), indent=1, sort_keys=True, allow_nan=False)
    write_bytes(path.with_suffix(".json"), text.encode() + b"\n")
    return path


def _labels(picture: Picture, cast: Cast) -> dict[str, Any]:
    """Content of the json: all that is needed to draw the picture again."""
    person, posed = picture.person, picture.pose
    return {
        "format": FORMAT,
        "version": __version__,
        "trained_on": cast.trained.images,
        "seed": picture.seed,
        "truncation": cast.truncation,
        "image_size": picture.seen["image"].shape[-1],
        **stated(picture.camera),
        "conditioning_camera": stated(picture.condition),
        "neck_head_pose": [0.0] * 6 if posed is None else numbers(posed),
        "predicted_neck_head_pose": numbers(person.own),
    }


def numbers(pose: Tensor) -> list[float]:
    """A pose (1, 6) for json."""
    values: list[float] = rounded("neck_head_pose", pose[0].double().cpu().numpy())
    return values


def _grey(name: str, seen: Rendering) -> NDArray[Any]:
    """(r, r) of ``mask`` or ``depth``."""
    values = seen["mask" if name == "mask" else "depth"][0, 0].cpu().numpy()
    if name == "mask":
        return np.clip(np.round(values * 255), 0, 255).astype(np.uint8)
    return np.round(values * 1000).astype(np.uint16)


def _grey_png(pixels: NDArray[Any]) -> bytes:
    stream = io.BytesIO()
    Pil.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()
