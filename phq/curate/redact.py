"""`redact`: remove samples from a dataset without a trace. The command ``phq redact`` is this one call."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import pyarrow as pa

from phq.curate.people_named import file_names, identities, named_in
from phq.curate.redaction_target import Target, target_of_keys, target_of_photo
from phq.curate.removal import Removal, Stored
from phq.dataset.derived import drawings, files_in, work_left
from phq.dataset.folder import CARD, CROISSANT, MANIFEST, MARKS_LOG, RUN, TOMBSTONES, is_ours
from phq.dataset.marks_log import no_review
from phq.dataset.mentions import Search
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
    """Files in the folder that still name a removed sample or the person, or hold a copy of the picture: exports,
    backups, notes, and ``tombstones.parquet`` if a reason has the name. phq does not change what it did not write."""
    linked: tuple[str, ...] = ()
    """Files stored under a second name elsewhere (hard links), where the old content stays."""

    @property
    def clean(self) -> bool:
        """Whether nothing is left that is known to show or name what is gone."""
        return not (self.lookalikes or self.mentions or self.linked)


class NamedReasonError(InputError):
    """The reason has the name of a person who is to be forgotten."""

    def __init__(self, word: str) -> None:
        super().__init__(
            f"the reason has the name {word!r}, and a tombstone keeps its reason for good: state it without the name, "
            "or confirm it with --name-in-reason"
        )
        self.word = word


@disk_errors_explained
def redact(
    dataset: str | Path,
    keys: Iterable[str] = (),
    *,
    source: str | None = None,
    reason: str = "",
    name_in_reason: bool = False,
    day: str | None = None,
) -> Redacted:
    """Take samples out of a dataset: shards, tables, overlays, descriptions, pictures, texts that name them.

    Only shards that hold such a sample are written again, byte for byte as before without it; all others stay as they
    are. A shard that would be empty shares the samples of its neighbour, see `phq.curate.removal.shard_sizes`.
    What remains is a tombstone for each key, and for the photo if `source` is given. Interrupted, the dataset is the
    old one or the new one; repeated, nothing is done twice.

    Nothing outside the folder is reached: the photos, exports, merged datasets, copies on a hub. What phq did not write
    in the folder is not changed either, but searched: see `Redacted.mentions`.

    Args:
        dataset: a folder.
        keys: whole keys of samples, kept or rejected.
        source: a photo, as recorded in ``source_path`` or as a file with the same bytes; all its people go.
        reason: for the tombstone; keys and paths of removed samples in it are replaced.
        name_in_reason: store it even if it has a name of the person, see `phq.curate.people_named.named_in`.
        day: ISO day of the tombstone, by default today.

    Raises:
        NamedReasonError: the reason has a name of the person, and `name_in_reason` is false.
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
            known = {*wanted, *([source] if source else [])}
            return Redacted(mentions=tuple(_mentions(change, Search(known, known), Search((), ()))))
        gone, stay = (stored.table.filter(pa.array(rows)) for rows in (target.rows, ~target.rows))
        if (word := named_in(reason, gone, stay)) and not name_in_reason:
            raise NamedReasonError(word)
        names = target.keys if source is None else target.keys | target.hashes
        day = day or date.today().isoformat()
        tombstones = [Tombstone(text_sha256(n), day, reason, n in target.hashes, bool(word)) for n in names]
        scrub = Scrubber(target.keys, target.names).text
        tombstones = [replace(t, reason=scrub(t.reason)) for t in (*read_tombstones(folder), *tombstones)]
        write_tombstones(change.path(TOMBSTONES), tombstones)
        people = identities(gone) - identities(stay)
        if word:
            people |= identities(gone) | {word}
        forgotten = {*target.names, *people, *(file_names(gone) - file_names(stay))}
        done = _stage(change, stored, target)
        left = _mentions(change, Search(forgotten, target.keys | target.hashes), Search(people, ()), done.dropped)
        return replace(done, mentions=tuple(left))


_TEXTS = (CARD, RUN, CROISSANT, MARKS_LOG, TOMBSTONES)


def _mentions(change: Change, foreign: Search, ours: Search, dropped: Iterable[str] = ()) -> Iterator[str]:
    """Files that still name what is gone.

    Args:
        change: of the redaction.
        foreign: for files that phq did not write.
        ours: names of people, for texts of phq that a person may have written in.
        dropped: files that will be gone.
    """
    gone = set(dropped)
    for name in files_in(change.folder):
        if name in gone or (is_ours(name) and name not in _TEXTS):
            continue
        staged = (change.new / name).is_file()
        root, search = change.new if staged else change.folder, ours if is_ours(name) else foreign
        if search.file(root, name):
            yield name
    if not (change.folder / TOMBSTONES).exists() and ours.file(change.new, TOMBSTONES):
        yield TOMBSTONES


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
    return Redacted(
        keys=tuple(sorted(stored.samples.select(target.rows & stored.in_shards).keys)),
        records=int(target.rows.sum()),
        shards=tuple(removal.touched),
        dropped=tuple(name for name in dropped if name not in written),
        lookalikes=target.lookalikes,
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
    if result.records:
        yield f"redacted {len(result.keys)} samples, {result.records} records"
    else:
        yield "nothing to do: all of it was redacted before"
    for names, text in (
        (result.shards, "shards written anew"),
        (
            result.dropped,
            "removed too, since they may name or show it; the next command that needs them makes them anew",
        ),
        (result.lookalikes, "rejects that stay: they were duplicates of what is gone, and may show the same"),
        (result.linked, "stored under a second name elsewhere (a hard link), where the old content stays"),
    ):
        if names:
            yield f"{text}: {', '.join(names)}"
    if result.mentions:
        yield "left alone, but still naming or showing what is gone; delete or change them yourself:"
        yield from (f"  {name}" for name in result.mentions)
