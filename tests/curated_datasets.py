"""Small complete datasets, with rejects, duplicates, overlays and pictures, for the tests of `phq.curate`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from sound_datasets import DECIDED, sound_sample
from tiny_datasets import CARD, SIDE, TinySample

from phq.building.contact_sheet import write_contact_sheet
from phq.config.build import load_config
from phq.dataset.overlays import write_overlay
from phq.dataset.write import write_dataset

Fields = dict[str, Any]


def person(number: int, split: str = "train", **changes: Any) -> TinySample:
    """A sample of its own photo, ``photos/NUMBER.jpg``."""
    return sound_sample(number, split, **{"source_path": f"photos/{number:04d}.jpg", **changes})


def reject_of(sample: TinySample, **changes: Any) -> Fields:
    """The row of a person thrown out."""
    places = {"split": "", "decision": "rejected", "reason": "duplicate", **DECIDED}
    return {**sample.row, **places, **changes}


def write(
    out: Path, samples: list[TinySample], rejects: list[Fields] | None = None, sheet: bool = True, **run: Any
) -> Path:
    """The samples as a dataset, in the order of their keys."""
    members = {sample.row["key"]: sample.members for sample in samples}
    kept = sorted((dict(sample.row) for sample in samples), key=lambda row: str(row["key"]))
    thrown_out = rejects or []
    reasons = sorted({row["reason"] for row in thrown_out})
    counts = {
        "photos": len({row["source_path"] for row in (*kept, *thrown_out)}),
        "people": len(kept) + sum("person_index" in row for row in thrown_out),
        "kept": len(kept),
        "rejected": {reason: sum(row["reason"] == reason for row in thrown_out) for reason in reasons},
    }
    config = load_config("everything", size=SIDE).model_dump(mode="json")
    if sheet:
        write_contact_sheet(out / "contact-sheet.png", kept, lambda row: members[row["key"]])
    record = {"tool": "phq", "version": "0.0", "config": config, "counts": counts, **run}
    write_dataset(out, kept, thrown_out, lambda row: members[row["key"]], record, CARD)
    return out


def overlay(folder: Path, name: str, rows: list[Fields], about: Fields | None = None) -> None:
    """An overlay with these rows on top of the others."""
    columns = [column for column in rows[0] if column != "key"]
    write_overlay(folder, name, rows, columns, about or {"command": "test"})


def files(folder: Path) -> dict[str, bytes]:
    """Content of every file by its path."""
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def traces(folder: Path, needles: dict[str, bytes]) -> list[str]:
    """Where any of the needles is: in the bytes of a file, or in a cell or the notes of a parquet file."""
    found = []
    for name, content in files(folder).items():
        texts = [content]
        if name.endswith(".parquet"):
            table = pq.read_table(folder / name)
            texts += [str(value).encode() for column in table.columns for value in column.to_pylist()]
            texts += [note for pair in (table.schema.metadata or {}).items() for note in pair]
        found += [f"{what} in {name}" for what, needle in needles.items() if any(needle in text for text in texts)]
    return found
