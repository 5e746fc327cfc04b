"""Repair of files beside shards and manifest, most of which follow from these; removal of leftovers."""

from __future__ import annotations

from pathlib import Path

from phq.building.plan import close_work_folder, has_written
from phq.curate.verify.beside import Described, right_counts, stored_files
from phq.curate.verify.overlays import check_overlay, known_keys
from phq.curate.verify.report import Report
from phq.dataset.card_sections import kept_card, mended_card, right_card, stated_files
from phq.dataset.croissant import croissant, stored_file
from phq.dataset.folder import CROISSANT, REJECTS, RUN, WORK, index_name
from phq.dataset.summary import licences
from phq.dataset.tables import read_table, write_table
from phq.dataset.tar import STORAGE
from phq.dataset.wids_index import wids_index
from phq.dataset.write import schema_file
from phq.system.journal import Change
from phq.system.json_text import json_bytes


def _files(report: Report, *kinds: str) -> list[str]:
    """Files with violations of some kinds, each once, in the order of the report."""
    return list(dict.fromkeys(found.file for found in report.violations if found.kind in kinds))


def mend_leftovers(report: Report, change: Change) -> list[str]:
    """Remove leftovers of interrupted runs; not the work of a build that has not written the dataset beside it."""
    names = [name for name in _files(report, "leftover") if name != WORK or has_written(change.folder)]
    for name in names:
        if name == WORK:
            close_work_folder(change.folder / WORK)
        else:
            change.delete(name)
    return [f"{name} removed" for name in names]


def mend_rejects(report: Report, change: Change) -> list[str]:
    """Write an empty table where there were no rejects, or blank the storage columns of one that has them."""
    if _files(report, "reject_stored"):
        blank = dict.fromkeys(STORAGE) | {"shard": ""}
        rows = (row | blank for row in read_table(change.folder / REJECTS).to_pylist())
        write_table(change.path(REJECTS), rows, complete=False)
        return [f"{REJECTS}: places blanked"]
    counts = (_described(report).run or {}).get("counts", {})
    if _files(report, "rejects_missing", "rejects_unreadable") and counts.get("rejected") in (0, {}):
        write_table(change.path(REJECTS), [], complete=False)
        return [f"{REJECTS} written: there are none"]
    return []


def mend_overlays(report: Report, change: Change) -> list[str]:
    """Put overlays in force that are in the folder and break nothing."""
    state = _described(report)
    if state.run is None or _files(report, "run_unreadable"):
        return []
    keys = known_keys(state.manifest, state.rejects)
    names = [Path(file).stem for file in _files(report, "overlay_unlisted")]
    sound = [name for name in names if not check_overlay(change.folder, name, keys)[0]]
    if sound:
        change.write(RUN, json_bytes({**state.run, "overlays": [*state.run.get("overlays", []), *sound]}))
    return [f"overlay {name} put in force" for name in sound]


def mend_indices(report: Report, change: Change) -> list[str]:
    """Rewrite the index of each split that needs it."""
    files = _files(report, "index_missing", "index_wrong")
    for split, shards in _described(report).shards.items():
        if index_name(split) in files:
            change.write(index_name(split), wids_index(split, shards))
    return [f"{file} made from the shards" for file in files]


def mend_schema(report: Report, change: Change) -> list[str]:
    """Rewrite schema.json."""
    files = _files(report, "schema_wrong")
    for file in files:
        change.write(file, schema_file())
    return [f"{file} written" for file in files]


def mend_counts(report: Report, change: Change) -> list[str]:
    """Correct the counts in run.json."""
    files, state = _files(report, "run_counts"), _described(report)
    for file in files:
        assert state.run is not None
        change.write(file, json_bytes({**state.run, "counts": state.run["counts"] | right_counts(state)}))
    return [f"{file}: counted again" for file in files]


def mend_card(report: Report, change: Change) -> list[str]:
    """Rewrite README.md, or the parts of it that follow from the rows."""
    files, state = _files(report, "card_missing", "card_wrong"), _described(report)
    card = kept_card(state.run)
    if not files or card is None:
        return []
    assert state.manifest is not None and state.rejects is not None
    path = change.folder / files[0]
    text = path.read_bytes() if path.exists() else None
    change.write(files[0], mended_card(text, right_card(card, state.manifest, state.rejects)).encode())
    return [f"{files[0]} written"]


def mend_croissant(report: Report, change: Change) -> list[str]:
    """Rewrite croissant.json; a damaged file keeps the checksum that it should have."""
    wrong = _files(report, "croissant_missing", "croissant_wrong", "checksum_differs")
    state = _described(report)
    card = kept_card(state.run)
    if not wrong or card is None or state.manifest is None:
        return []
    path = change.folder / CROISSANT
    before = path.read_bytes() if path.exists() else None
    stated = stated_files(before)
    damaged = {found.file for found in report.violations if found.kind != "checksum_differs"}
    files = [stated.get(file.name, file) if file.name in damaged else file for file in stored_files(state)]
    try:
        files = [file if file.sha256 else stored_file(change.folder, file.name) for file in files]
    except OSError:
        return []
    content = croissant(card, licences(state.manifest), files[0], files[1:])
    if content == before:
        return []
    change.write(CROISSANT, content)
    return [f"{CROISSANT} made from manifest and shards"]


def _described(report: Report) -> Described:
    assert report.state is not None
    return report.state
