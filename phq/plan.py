"""What a build has to do: the frozen list of inputs, cut into work units by content, not by the number of workers."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import dataclass, field
from pathlib import Path

from phq import __version__
from phq.config import Config
from phq.errors import OutputError
from phq.photos.discover import Found
from phq.schema import SCHEMA_VERSION
from phq.shards.atomic import output_errors, write_bytes

WORK = ".phq-work"
"""Folder inside the output where finished units wait for the dataset to be put together."""


@dataclass(frozen=True)
class Plan:
    """A build: inputs in order, configuration, and how many photos make a unit."""

    inputs: list[Found]
    config: Config
    sidecar: str = field(default="", kw_only=True)
    """sha256 of the sidecar file, '' without one."""

    @property
    def id(self) -> str:
        """Hash of the configuration, the sidecar and the photos' names; the same on every machine."""
        names = [found.name for found in self.inputs]
        text = json.dumps([__version__, SCHEMA_VERSION, self.config.canonical(), self.sidecar, names])
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def fingerprint(self) -> str:
        """Hash of `id`, and size and time of every photo: what an interrupted build must still find unchanged."""
        text = json.dumps([self.id, [_stamp(found) for found in self.inputs]])
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def unit_size(self) -> int:
        """Photos a unit: small for a small build (progress, balance), larger for a large one (fewer files)."""
        return 4 if len(self.inputs) <= 256 else 16 if len(self.inputs) <= 16384 else 64

    @property
    def units(self) -> list[list[Found]]:
        """Inputs cut into consecutive units."""
        return [self.inputs[i : i + self.unit_size] for i in range(0, len(self.inputs), self.unit_size)]


def _stamp(found: Found) -> tuple[int, int]:
    """Bytes and time of change (ns) of a file; zeros if it is not there or cannot be asked."""
    try:
        status = found.path.stat()
    except (OSError, ValueError):  # ValueError: a zero byte in the name
        return 0, 0
    return status.st_size, status.st_mtime_ns


def open_work_folder(out: Path, plan: Plan) -> Path:
    """The work folder of this plan, new or with what an interrupted build had finished.

    Raises:
        OutputError: the folder holds the unfinished work of another plan, or cannot be written.
    """
    work = out / WORK
    note = work / "plan.json"
    fingerprint = plan.fingerprint()
    with output_errors(work):
        work.mkdir(parents=True, exist_ok=True)
        found = json.loads(note.read_text())["id"] if note.exists() else None
        if found not in (None, fingerprint):
            raise OutputError(
                f"{out} holds an unfinished build of other photos or another configuration or sidecar; "
                f"finish it, choose another folder, or remove {work}"
            )
        for stale in sorted(work.glob("*.tmp")):
            stale.unlink()
    if found is None:
        write_bytes(note, json.dumps({"id": fingerprint, "photos": len(plan.inputs)}).encode())
    return work


def close_work_folder(work: Path) -> None:
    """Remove the work folder once the dataset stands."""
    if work.exists():
        shutil.rmtree(work)
