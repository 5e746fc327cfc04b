"""`invert`: a photo as a person of the generator, seen from other sides. What ``phq gan invert`` does."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from phq.generator.train.preview import save_png, to_pixels
from phq.generator.use.arguments import OWN
from phq.generator.use.cameras import stated
from phq.generator.use.fitting import STEPS, Fit, fit
from phq.generator.use.latents import write_latent
from phq.generator.use.opening import Trained
from phq.generator.use.orbiting import film
from phq.generator.use.outputs import check_new_folder
from phq.generator.use.people import Person
from phq.generator.use.sampling import numbers
from phq.generator.use.target import Target
from phq.system.atomic import disk_errors_explained, write_bytes
from phq.system.bars import bar
from phq.system.publish import published
from phq.system.version import __version__

YAWS = (-90.0, -45.0, 0.0, 45.0, 90.0, 180.0)
"""Of the strip of views, after the target and the inversion from its side."""


@dataclass(frozen=True)
class Inverted:
    """Where the result is."""

    out: Path
    fit: Fit


@disk_errors_explained
def invert(  # noqa: PLR0913 (as many as the command has options)
    trained: Trained,
    target: Target,
    out: str | Path,
    *,
    steps: int = STEPS,
    tune: int = 0,
    seed: int = 0,
    frames: int = 0,
    quiet: bool = True,
) -> Inverted:
    """Find latent and pose of a target and write a folder with

    ``latent.npz`` (and ``generator.safetensors``, if tuned), ``target.png``, ``render.png`` (the same view),
    ``views.png`` (target, that view, and from `YAWS`), ``curve.json`` and ``inversion.json``.

    Args:
        out: folder; new or empty.
        steps, tune, seed: see `phq.generator.use.fitting.fit`.
        frames: of ``orbit.mp4``; 0 for none.

    Raises:
        OutputError: the folder is not free, or cannot be written to.
        MissingExtraError: a video without imageio-ffmpeg.
    """
    folder = Path(out)
    check_new_folder(folder)
    with published(folder) as (staged,):
        found = _inverted(trained, target, staged, steps, tune, seed, quiet)
        if frames:
            lens = trained.g.config.camera
            film(lambda _camera: [found.person], staged / "orbit.mp4", frames=frames, lens=lens, quiet=quiet)
    return Inverted(folder, found)


def _inverted(trained: Trained, target: Target, folder: Path, steps: int, tune: int, seed: int, quiet: bool) -> Fit:
    """Fit, and write everything but the video."""
    with bar(total=steps + tune, unit="step", quiet=quiet) as shown:
        found = fit(trained, target, steps, tune, seed, partial(_advance, shown))
    person = found.person
    render = person.seen(target.camera, person.own)["image"]
    save_png(folder / "target.png", to_pixels(target.image))
    save_png(folder / "render.png", to_pixels(render))
    strip = torch.cat([target.image.to(render), render, *_views(person, trained)], dim=3)
    save_png(folder / "views.png", to_pixels(strip))
    _write_json(folder / "curve.json", found.curve)
    write_latent(folder, person, trained)
    settings = {"steps": steps, "tune": tune, "seed": seed}
    _write_json(folder / "inversion.json", _facts(trained, target, found) | settings)
    return found


def _advance(shown: Any, phase: str) -> None:
    shown.set_description(phase, refresh=False)
    shown.update()


def _views(person: Person, trained: Trained) -> list[Tensor]:
    return [person.seen(trained.camera_at(yaw), person.posed(OWN))["image"] for yaw in YAWS]


def _facts(trained: Trained, target: Target, found: Fit) -> dict[str, Any]:
    return {
        "version": __version__,
        "trained_on": trained.images,
        **target.about,
        **stated(target.camera),
        "labelled_neck_head_pose": numbers(target.pose),
        "neck_head_pose": numbers(found.person.own),
        "difference": {name: found.curve[-1][name] for name in ("total", "colour", "mask")},
    }


def _write_json(path: Path, content: Any) -> None:
    lines = json.dumps(content, indent=1, sort_keys=True, allow_nan=False)
    write_bytes(path, lines.encode() + b"\n")
