"""`stats`: a dataset in numbers. What ``phq stats`` prints."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from phq.camera.sides import SIDES, shares
from phq.dataset.card import YAW_SECTORS
from phq.dataset.credits import counted
from phq.dataset.folder import index_name
from phq.dataset.overlays import LATEST
from phq.dataset.reader import Dataset
from phq.dataset.statements import names_of
from phq.dataset.summary import yaw_histogram
from phq.dataset.tar import MEMBERS
from phq.dataset.whole_columns import columns
from phq.errors import InputError
from phq.reasons import STORED_SCORES
from phq.schema import PROVENANCE
from phq.system.atomic import disk_errors_explained

ANGLES = tuple(f"{part}_{axis}_deg" for part in ("camera", "head") for axis in ("yaw", "pitch", "roll"))
PERCENTILES = (0, 5, 25, 50, 75, 95, 100)
STATEMENTS = ("headpose_network", "headpose_gate", "head_direction")
"""What other networks state of the head, counted."""
STATED = ("headpose_yaw_deg", "headpose_pitch_deg", "headpose_roll_deg", "headpose_sigma_deg", "headpose_p_flip")
_SIZES = tuple(f"{prefix}_size" for prefix in MEMBERS.values())
_COLUMNS = (
    "decision", "reason", "split", "shard", "source_sha256", "duplicate_of", *PROVENANCE, *ANGLES, *STORED_SCORES,
    *STATEMENTS, *STATED, "head_direction_score", *_SIZES,
)  # fmt: skip
Stats = dict[str, Any]


@disk_errors_explained
def stats(dataset: str | Path, revision: str | None = LATEST) -> Stats:
    """Numbers about a dataset with its overlays applied, as plain values that JSON has.

    ``camera_yaw`` and ``head_yaw`` count the samples in eight sectors of 45°, and give the fractions ``front`` (within
    60° of the front), ``back`` (within 60° of the back) and ``side`` (between): a third each if all directions are
    equally frequent. Angles (degrees) and scores have the percentiles `PERCENTILES`.

    Args:
        dataset: folder or URL.
        revision: see `phq.dataset.overlays.names_up_to`.

    Raises:
        InputError: no dataset, no such revision, or a damaged index.
    """
    opened = Dataset(dataset, revision=revision, rejects=True)
    table = columns(opened, _COLUMNS)
    keeps = pc.and_(pc.equal(table["decision"], "kept"), pc.not_equal(table["shard"], ""))
    kept, rejects = table.filter(keeps), table.filter(pc.invert(pc.fill_null(keeps, False)))
    stated = kept.select(PROVENANCE).to_pylist()
    people = {name for row in stated for name in names_of(row["identity"])}
    return {
        "overlays": opened.overlays,
        "samples": {"all": len(kept), **_counts(kept["split"])},
        "photos": int(pc.count_distinct(kept["source_sha256"]).as_py()),
        "identities": len(people),
        "duplicates_kept": int(pc.sum(pc.not_equal(kept["duplicate_of"], "")).as_py() or 0),
        "rejects": {"all": len(rejects), **_counts(rejects["reason"])},
        **{f"{part}_yaw": _yaw(_numbers(kept[f"{part}_yaw_deg"])) for part in ("camera", "head")},
        "angles": {name: _percentiles(_numbers(kept[name])) for name in ANGLES},
        "scores": {name: _percentiles(_numbers(kept[name])) for name in STORED_SCORES},
        **_statements(kept),
        **{f"{name}s": dict(counted(stated, name)) for name in ("licence", "author", "source")},
        "consent": dict(counted(stated, "consent")),
        "bytes": _bytes(opened, kept),
    }


def _statements(kept: pa.Table) -> Stats:
    """What head pose networks and detectors state of heads, of those that they state anything of."""
    asked = kept.filter(pc.greater(kept["headpose_sigma_deg"], 0))
    directed = kept.filter(pc.greater(kept["head_direction_score"], 0))
    scores = {name: _percentiles(_numbers(asked[name])) for name in STATED}
    scores["head_direction_score"] = _percentiles(_numbers(directed["head_direction_score"]))
    counts = {name: {value: n for value, n in _counts(kept[name]).items() if value} for name in STATEMENTS}
    return {"heads": counts, "head_scores": {name: values for name, values in scores.items() if values}}


def _counts(column: pa.ChunkedArray) -> dict[str, int]:
    """Rows by value, most frequent first."""
    counts = Counter(str(value) for value in column.to_pylist())
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def _numbers(column: pa.ChunkedArray) -> NDArray[np.float64]:
    return np.asarray(column, dtype=np.float64)


def _percentiles(values: NDArray[np.float64]) -> dict[str, float]:
    if not len(values):
        return {}
    found = np.percentile(values, PERCENTILES).round(6).tolist()
    return dict(zip(map(str, PERCENTILES), found, strict=True))


def _yaw(yaws: NDArray[np.float64]) -> Stats:
    sectors = {str(centre): n for (centre, _), n in zip(YAW_SECTORS, yaw_histogram(yaws.tolist()), strict=True)}
    return {"sectors": sectors} | shares(yaws)


def _bytes(opened: Dataset, kept: pa.Table) -> dict[str, int]:
    """Members of the kept samples, and whole shards, with headers and rejected samples."""
    members = {prefix: int(pc.sum(kept[f"{prefix}_size"]).as_py() or 0) for prefix in MEMBERS.values()}
    shards = [name for name in pc.unique(opened.columns(["shard"])["shard"]).to_pylist() if name]
    splits = sorted({name.partition("/")[0] for name in shards})
    return members | {"shards": sum(_shard_bytes(opened, index_name(split)) for split in splits)}


def _shard_bytes(opened: Dataset, index: str) -> int:
    try:
        return sum(int(shard["filesize"]) for shard in json.loads(opened.root.read(index))["shardlist"])
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{index} of {opened.root.where} is damaged; phq verify --repair makes it anew") from error


def lines(found: Stats) -> Iterator[str]:
    """The numbers as text."""
    samples, rejects = dict(found["samples"]), dict(found["rejects"])
    splits = "   ".join(f"{name} {count}" for name, count in samples.items() if name != "all")
    yield f"samples {samples['all']}   {splits}   rejects {rejects['all']}"
    yield f"photos {found['photos']}   identities {found['identities'] or 'not stated'}   look-alikes kept " + str(
        found["duplicates_kept"]
    )
    yield f"overlays {', '.join(found['overlays']) or 'none'}"
    yield from _yaw_lines(found)
    yield from _percentile_lines("angles, degrees", found["angles"])
    yield from _percentile_lines("scores", found["scores"])
    yield from _percentile_lines("heads, as networks state", found["head_scores"])
    for name in STATEMENTS:
        yield from _count_lines(name, found["heads"][name])
    yield from _count_lines("rejects by reason", {name: n for name, n in rejects.items() if name != "all"})
    for name in ("licences", "authors", "sources", "consent"):
        yield from _count_lines(name, {value or "not stated": n for value, n in found[name].items()})
    yield "\nbytes"
    yield from (f"  {name:<24} {size:15,d}" for name, size in found["bytes"].items())


def _yaw_lines(found: Stats, width: int = 30) -> Iterator[str]:
    for part in ("camera", "head"):
        yaw = found[f"{part}_yaw"]
        thirds = ", ".join(f"{name} {yaw[name]:.1%}" for name in SIDES)
        yield f"\n{part} yaw (± 22.5°): {thirds}"
        most = max(*yaw["sectors"].values(), 1)
        for centre, name in YAW_SECTORS:
            count = yaw["sectors"][str(centre)]
            yield f"  {centre:>5}°  {name:<24} {count:8d}  {'█' * round(width * count / most)}"


def _percentile_lines(title: str, rows: Mapping[str, Mapping[str, float]]) -> Iterator[str]:
    if any(rows.values()):
        yield "\n" + f"{title:<26}" + "".join(f"{f'{p} %':>10}" for p in PERCENTILES)
        yield from (f"  {name:<24}" + "".join(map(_short, values.values())) for name, values in rows.items())


def _short(value: float) -> str:
    return f"{value:>10.4g}"


def _count_lines(title: str, counts: Mapping[str, int], most: int = 20) -> Iterator[str]:
    if counts:
        yield f"\n{title}"
        yield from (f"  {count:8d}  {name}" for name, count in list(counts.items())[:most])
        yield from _rest(list(counts.values())[most:])


def _rest(counts: Sequence[int]) -> Iterable[str]:
    return [f"  {sum(counts):8d}  in {len(counts)} more"] if counts else []
