"""`annotate_from_sidecar`: licence, author, source, identity and consent stated after a build, as an overlay. ``phq
annotate --sidecar`` is this one call."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from phq.curate.annotate.samples import left_out, samples_to_annotate
from phq.dataset.overlays import LATEST, local_folder, write_overlay
from phq.dataset.reader import Dataset
from phq.dataset.sidecar import Coverage, Sidecar, coverage, read_sidecar, sidecar_record
from phq.dataset.thresholds import thresholds_in_force
from phq.decisions.settings import settings_for
from phq.errors import InputError
from phq.schema import CONSENT, PROVENANCE, Fields
from phq.system.atomic import disk_errors_explained
from phq.system.version import __version__

CONSENT_RULE = "consent.min"
"""The threshold that rejects who refused."""
_PHOTO = ("source_path", "source_sha256")


@dataclass(frozen=True)
class Stated:
    """The result."""

    name: str
    """Of the overlay."""
    samples: int
    """Samples of which something changes."""
    changes: dict[str, int]
    """Samples by the column that changes, in the order of `phq.schema.PROVENANCE`."""
    coverage: Coverage
    """Which rows matched which photos."""
    refused: int = 0
    """Samples of people who refused and are kept until they are decided on again."""
    rejects_refused: bool = True
    """Whether the thresholds in force reject who refused."""


@disk_errors_explained
def annotate_from_sidecar(
    dataset: str | Path,
    name: str,
    sidecar: str | Path,
    *,
    revision: str = LATEST,
    where: str | None = None,
    sets: Sequence[str] = (),
    notify: Callable[[str], object] = lambda _: None,
) -> Stated:
    """State the provenance of the photos as a build with this sidecar would have.

    A row's words replace those of before; what the row leaves open, or a photo without a row, keeps its own. No shard
    is touched, and no decision or split is taken again: `phq.decisions.redecide.decide` rejects who refused.

    Args:
        dataset: a folder.
        name: of the new overlay.
        sidecar: CSV, TSV, JSON or JSON lines, see `phq.dataset.statements.parse_statements`; paths are as recorded.
        revision: that the overlay stands on.
        where: only samples for which this condition holds.
        sets: ``provenance.NAME=VALUE`` each, for what neither the sidecar nor the dataset states, or the dataset states
            by such a setting of its build alone.
        notify: receives sentences about rows and photos that did not match.

    Raises:
        ConfigError: see `phq.decisions.settings.settings_for`.
        InputError: the sidecar cannot be read, or nothing changes; for the others see
            `phq.curate.annotate.samples.samples_to_annotate`.
        OutputError: the dataset cannot be written, or has got another overlay meanwhile.
    """
    stated = read_sidecar(Path(sidecar))
    samples = samples_to_annotate(dataset, name, revision, where)
    every = Dataset(dataset, revision=revision, rejects=True).columns(_PHOTO)
    stated = stated.spelled_as(every["source_path"].to_pylist())
    met = coverage(stated, zip(*(every[column].to_pylist() for column in _PHOTO), strict=True))
    for line in (*met.sentences(), left_out(samples, name)):
        if line:
            notify(line)
    rows = _changed(samples.columns(["key", *_PHOTO, *PROVENANCE]), stated, *_defaults(samples, sets))
    changes = {column: sum(new[column] != old[column] for old, new in rows) for column in PROVENANCE}
    columns = [column for column, count in changes.items() if count]
    if not columns:
        raise InputError(f"{sidecar} states nothing of the samples of {dataset} that is not there; nothing was written")
    about = {
        "command": "annotate",
        "version": __version__,
        "stages": ["provenance"],
        "below": samples.overlays,
        "where": where or "",
        "sidecar": sidecar_record(stated.sha256, met),
    }
    new_rows = ({column: new[column] for column in ("key", *columns)} for _, new in rows)
    write_overlay(local_folder(samples.root, dataset), name, new_rows, columns, about, read=samples.run, base=revision)
    refused = sum(new["consent"] == "no" != old["consent"] for old, new in rows)
    rejects = thresholds_in_force(samples).get(CONSENT_RULE, -math.inf) > CONSENT["no"]
    return Stated(name, len(rows), {column: changes[column] for column in columns}, met, refused, rejects)


def _defaults(samples: Dataset, sets: Sequence[str]) -> tuple[Fields, Fields]:
    """What the build's settings state for photos without a row, and what `sets` state in its place."""
    before, now = (settings_for(samples.run, None, None, some).provenance.model_dump() for some in ((), sets))
    return before, {name: value for name, value in now.items() if value != before[name]}


def _changed(table: pa.Table, sidecar: Sidecar, before: Fields, now: Fields) -> list[tuple[Fields, Fields]]:
    """(before, after) of every sample of which something changes; with ``key`` and `PROVENANCE`."""
    pairs = []
    for old in table.to_pylist():
        row = sidecar.about(*(old[column] for column in _PHOTO))
        said = dict(zip(PROVENANCE, row.fields, strict=True)) if row else {}
        own = {c: old[c] for c in PROVENANCE if not (c in now and old[c] == before[c])}
        new = {c: said.get(c) or own.get(c) or now.get(c) or old[c] for c in PROVENANCE}
        if any(new[column] != old[column] for column in PROVENANCE):
            pairs.append((old, {"key": old["key"], **new}))
    return pairs
