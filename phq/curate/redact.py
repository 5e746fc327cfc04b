"""`redact`: remove samples from a dataset without a trace. The command ``phq redact`` is this one call."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

from phq.curate.redaction_target import Target, target_of_keys, target_of_photo
from phq.curate.removal import Removal, Stored
from phq.dataset.derived import drawings, files_in, mentioning, work_left
from phq.dataset.folder import MANIFEST, TOMBSTONES, is_ours
from phq.dataset.marks_log import no_review
from phq.dataset.scrub import Scrubber
from phq.dataset.tombstones import Tombstone, read_tombstones, text_sha256, write_tombstones
from phq.errors import InputError, OutputError
from phq.system.atomic import disk_errors_explained
from phq.system.journal import Change, recover, stage


@dataclass(frozen=True)
class Redacted:
    """The result of a redaction."""

    keys: tuple[str, ...] = ()
    """Of the samples removed from the shards, sorted."""
    records: int = 0
    """Rows removed from manifest and rejects."""
    shards: tuple[str, ...] = ()
    """Shards that were written again or deleted."""
    dropped: tuple[str, ...] = ()
    """Drawings and leftovers of interrupted work that were deleted: phq made them, and can make them again."""
    lookalikes: tuple[str, ...] = ()
    """Rejects that stay, as duplicates of a removed sample: they may show the same."""
    mentions: tuple[str, ...] = ()
    """Files that phq did not write and did not change, but that still name a removed sample."""
    linked: tuple[str, ...] = ()
    """Files stored under a second name elsewhere (hard links), where the old content stays."""


@disk_errors_explained
def redact(
    dataset: str | Path,
    keys: Iterable[str] = (),
    *,
    source: str | None = None,
    reason: str = "",
    day: str | None = None,
) -> Redacted:
    """Take samples out of a dataset: shards, tables, overlays, descriptions, pictures, texts that name them.

    Only shards that hold such a sample are written again, byte for byte as before without it; all others stay as they
    are. A shard that would be empty shares the samples of its neighbour, see `phq.curate.removal.shard_sizes`.
    What remains is a tombstone for each key, and for the photo if `source` is given. Interrupted, the dataset is the
    old one or the new one; repeated, nothing is done twice.

    Nothing outside the folder is reached: the photos, exports, merged datasets, copies on a hub.

    Args:
        dataset: a folder.
        keys: whole keys of samples, kept or rejected.
        source: a photo, as recorded in ``source_path`` or as a file with the same bytes; all its people go.
        reason: for the tombstone; names of removed samples in it are replaced.
        day: ISO day of the tombstone, by default today.

    Raises:
        InputError: no dataset, no such sample or photo, or nothing named.
        OutputError: the folder cannot be written, is being changed by another process, or a file that must be written
            again is a link.
    """
    folder, wanted = Path(dataset), list(keys)
    if bool(wanted) == (source is not None):
        raise InputError("name the keys of samples, or a photo, one of the two")
    recover(folder)
    if not (folder / MANIFEST).is_file():
        raise InputError(f"{dataset} is not a folder with a dataset: it has no {MANIFEST}")
    with no_review(folder), stage(folder) as change:
        stored = Stored(folder)
        if source is None:
            target = target_of_keys(stored.table, wanted, folder)
        else:
            target = target_of_photo(stored.table, source, folder)
        if not target.rows.any():
            return Redacted()
        names = target.keys if source is None else target.keys | target.hashes
        tombstones = [Tombstone(text_sha256(name), day or date.today().isoformat(), reason) for name in names]
        scrub = Scrubber(target.keys, target.names).text
        tombstones = [replace(t, reason=scrub(t.reason)) for t in (*read_tombstones(folder), *tombstones)]
        write_tombstones(change.path(TOMBSTONES), tombstones)
        return _stage(change, stored, target)


def _stage(change: Change, stored: Stored, target: Target) -> Redacted:
    folder = stored.folder
    removal = Removal(change, stored, target)
    removal.stage()
    dropped = [*work_left(folder), *drawings(folder)]
    for name in dropped:
        change.delete(name)
    written = change.staged()
    changed = sorted({*written, *removal.touched, *dropped})
    _refuse_links(folder, changed)
    others = [name for name in files_in(folder) if not is_ours(name) and name not in dropped]
    return Redacted(
        keys=tuple(sorted(stored.samples.select(target.rows & stored.in_shards).keys)),
        records=int(target.rows.sum()),
        shards=tuple(removal.touched),
        dropped=tuple(name for name in dropped if name not in written),
        lookalikes=target.lookalikes,
        mentions=tuple(mentioning(folder, others, target.names)),
        linked=tuple(name for name in changed if _has_second_name(folder / name)),
    )


def _refuse_links(folder: Path, names: Iterable[str]) -> None:
    for name in names:
        if (folder / name).is_symlink():
            raise OutputError(
                f"{folder / name} is a link: what it leads to would keep the sample; redact a copy of the dataset "
                "without links, and remove this one"
            )


def _has_second_name(path: Path) -> bool:
    return path.is_file() and path.stat().st_nlink > 1


def lines(result: Redacted) -> Iterator[str]:
    """The result as text."""
    if not result.records:
        yield "nothing to do: all of it was redacted before"
        return
    yield f"redacted {len(result.keys)} samples, {result.records} records"
    for names, text in (
        (result.shards, "shards written anew"),
        (result.dropped, "made by phq, and dropped"),
        (result.lookalikes, "rejects that stay: they were duplicates of what is gone, and may show the same"),
        (result.mentions, "not written by phq and left alone, but still naming what is gone"),
        (result.linked, "stored under a second name elsewhere (a hard link), where the old content stays"),
    ):
        if names:
            yield f"{text}: {', '.join(names)}"
