"""`sweep` and `mix`: one picture of many people, by truncation, or with the styles of others in some layers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from phq.errors import ConfigError
from phq.generator.train.preview import save_png, to_pixels
from phq.generator.use.opening import Trained
from phq.generator.use.outputs import check_free, check_suffix
from phq.generator.use.people import Person, people


def sweep(
    trained: Trained, seeds: Sequence[int], truncations: Sequence[float], out: str | Path, *, yaw: float = 0.0
) -> Path:
    """Write a PNG with a row a person and a column a truncation ψ; all conditioned on a camera in front.

    Raises:
        OutputError: the file is there already, is not called .png, or cannot be written.
    """
    camera, front = trained.camera_at(yaw), trained.camera_at(0.0)
    columns = [people(trained, seeds, front, psi) for psi in truncations]
    return _sheet([[_seen(person, camera) for person in column] for column in columns], out)


def mix(
    trained: Trained, seeds: Sequence[int], styles: Sequence[int], layers: Sequence[int], out: str | Path, *,
    truncation: float = 1.0, yaw: float = 0.0,
) -> Path:  # fmt: skip
    """Write a PNG with a row a person of `seeds`, and a column a person of `styles`, whose style some layers take.

    The first column shows those of `seeds` as they are (style mixing, Karras et al. 2019).

    Args:
        layers: of the backbone, from 0; the last one is that of super-resolution too.

    Raises:
        ConfigError: the model has no such layer.
        OutputError: the file is there already, is not called .png, or cannot be written.
    """
    if wrong := [layer for layer in layers if layer >= trained.g.num_ws]:
        raise ConfigError(f"--layers {wrong[0]}: the model has {trained.g.num_ws} layers, numbered from 0")
    camera, front = trained.camera_at(yaw), trained.camera_at(0.0)
    own, others = (people(trained, some, front, truncation) for some in (seeds, styles))
    columns = [own, *([mixed(person, other, layers) for person in own] for other in others)]
    return _sheet([[_seen(person, camera) for person in column] for column in columns], out)


def mixed(person: Person, other: Person, layers: Sequence[int]) -> Person:
    """A person with another one's style in some layers; pose and place stay."""
    taken = torch.zeros(person.ws.shape[1], dtype=torch.bool, device=person.ws.device)
    taken[list(layers)] = True
    return Person(person.g, torch.where(taken[None, :, None], other.ws, person.ws), person.own, person.raw)


def _seen(person: Person, camera: Tensor) -> Tensor:
    return person.seen(camera, person.own)["image"]


def _sheet(columns: list[list[Tensor]], out: str | Path) -> Path:
    path = Path(out)
    check_suffix(path, ".png")
    check_free([path])
    save_png(path, to_pixels(torch.cat([torch.cat(column) for column in columns], dim=3)))
    return path
