"""Checkpoints: the tensors of a run in one safetensors file, everything else in a json beside it.

``checkpoints/000012800.safetensors`` and ``.json`` hold the run after 12,800 images. The json is written last and
removed first: a checkpoint exists if it does.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from phq.errors import InputError
from phq.system.atomic import atomic_write, output_errors, write_bytes

FOLDER = "checkpoints"
FORMAT = "phq-train/1"


@dataclass(frozen=True)
class Checkpoint:
    """One on the disk."""

    images: int
    """Real images that the run had been shown."""
    path: Path
    """The json."""

    @property
    def tensors(self) -> Path:
        """The safetensors file."""
        return self.path.with_suffix(".safetensors")

    def facts(self) -> dict[str, Any]:
        """What the json holds.

        Raises:
            InputError: it is damaged, or of another format.
        """
        try:
            facts = json.loads(self.path.read_bytes())
        except (OSError, ValueError) as error:
            raise InputError(f"the checkpoint {self.path} cannot be read: {error}") from error
        if not isinstance(facts, dict) or facts.get("format") != FORMAT:
            raise InputError(f"{self.path} is no checkpoint of the format {FORMAT}")
        return facts

    def read(self, parts: Sequence[str] = (), device: str | torch.device = "cpu") -> dict[str, Tensor]:
        """Tensors by name, those whose name begins with one of `parts` and a dot; all if none are named.

        Raises:
            InputError: the file is missing or damaged.
        """
        try:
            with safe_open(self.tensors, "pt", device=str(device)) as file:
                names = [n for n in file.keys() if not parts or n.split(".", 1)[0] in parts]  # noqa: SIM118 (no mapping)
                return {name: file.get_tensor(name) for name in names}
        except (OSError, SafetensorError) as error:
            raise InputError(f"the checkpoint {self.tensors} cannot be read: {error}") from error

    def holds(self, part: str) -> bool:
        """Whether there are tensors of a part.

        Raises:
            InputError: the file is missing or damaged.
        """
        try:
            with safe_open(self.tensors, "pt") as file:
                return any(name.startswith(f"{part}.") for name in file.keys())  # noqa: SIM118 (no mapping)
        except (OSError, SafetensorError) as error:
            raise InputError(f"the checkpoint {self.tensors} cannot be read: {error}") from error


def checkpoints(run: Path) -> list[Checkpoint]:
    """Those of a run, oldest first."""
    found = [path for path in (run / FOLDER).glob("*.json") if path.stem.isdigit()]
    return sorted((Checkpoint(int(path.stem), path) for path in found), key=lambda checkpoint: checkpoint.images)


def latest(run: Path) -> Checkpoint:
    """The newest of a run.

    Raises:
        InputError: there is none.
    """
    if not (found := checkpoints(run)):
        raise InputError(f"{run} has no checkpoint: it is no training run, or one that has not saved yet")
    return found[-1]


def write(run: Path, images: int, tensors: Mapping[str, Tensor], facts: Mapping[str, Any], keep: int) -> Checkpoint:
    """Save a checkpoint, then remove all but the newest `keep`.

    Args:
        run: folder of the run.
        images: number it is called by.
        tensors: by name, of any device; written in the order of their names.
        facts: what json can hold.
        keep: at least 1.

    Raises:
        OutputError: full disk, no permission; the checkpoints before are as they were.
    """
    path = run / FOLDER / f"{images:09d}.json"
    copies = {name: tensors[name].detach().to("cpu", copy=True).contiguous() for name in sorted(tensors)}
    with atomic_write(path.with_suffix(".safetensors")) as stream:
        stream.write(save(copies, {"format": FORMAT}))
    text = json.dumps({"format": FORMAT, "images": images, **facts}, indent=1, sort_keys=True, allow_nan=False)
    write_bytes(path, text.encode() + b"\n")
    with output_errors(run / FOLDER):
        for old in checkpoints(run)[:-keep]:
            old.path.unlink()
            old.tensors.unlink(missing_ok=True)
        _remove_torn(run)
    return Checkpoint(images, path)


def _remove_torn(run: Path) -> None:
    """Tensors without their json: the process was killed between the two."""
    for tensors in (run / FOLDER).glob("*.safetensors"):
        if tensors.stem.isdigit() and not tensors.with_suffix(".json").exists():
            tensors.unlink()
