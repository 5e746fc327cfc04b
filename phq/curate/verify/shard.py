"""Verification of one shard against its rows of the manifest: offsets, members, bytes, pictures."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from phq.curate.verify.archive import Entry, Fault, Headers, walk
from phq.curate.verify.kinds import Violation
from phq.curate.verify.pictures import Problem, jpg_problems, mask_problems, picture_digest
from phq.curate.verify.record import json_problems
from phq.dataset.croissant import stored_file
from phq.dataset.layout import BLOCK, BYTES_PER_SHARD, SAMPLES_PER_SHARD
from phq.dataset.tar import MEMBERS

Fields = Mapping[str, Any]
Places = dict[str, tuple[int, int]]
"""Prefix of a member's columns in the manifest → offset of its first byte, and its size."""


@dataclass
class ShardFindings:
    """Findings in one shard."""

    name: str
    size: int = 0
    """Bytes of the file."""
    violations: list[Violation] = field(default_factory=list)
    places: dict[str, Places] = field(default_factory=dict)
    """Members of each sample by its key, in the order of the shard; of a repeated key the first."""
    samples: int = 0
    sha256: str = ""
    """sha256 of the file; '' if images and masks were not read."""
    digests: dict[str, bytes] = field(default_factory=dict)
    """`picture_digest` of the samples to compare, by key."""


def headers_of(rows: Collection[Fields]) -> Headers:
    """Tar headers by the manifest, see `phq.curate.verify.archive.Headers`."""
    return {
        row[f"{prefix}_offset"] - BLOCK: (f"{row['key']}.{member}", row[f"{prefix}_size"])
        for row in rows
        for member, prefix in MEMBERS.items()
        if None not in (row["key"], row[f"{prefix}_offset"], row[f"{prefix}_size"])
    }


class ShardCheck:
    """Checks one shard; every violation is collected and none ends the check.

    Args:
        folder: the dataset.
        name: path of the shard in it.
        rows: its rows of the manifest, None if there is no usable manifest.
        quick: contents of images and masks are not read.
        compared: keys of samples whose `picture_digest` is wanted.
    """

    def __init__(
        self, folder: Path, name: str, rows: Collection[Fields] | None, quick: bool, compared: Collection[str] = ()
    ) -> None:
        self.folder = folder
        self.rows = None if rows is None else {row["key"]: row for row in rows if row["key"]}
        self.expected = headers_of(rows or ())
        self.quick = quick
        self.compared = compared
        self.found = ShardFindings(name)
        self._last = ""

    def run(self) -> ShardFindings:
        """Check the whole shard."""
        try:
            with (self.folder / self.found.name).open("rb") as stream:
                self.found.size = os.fstat(stream.fileno()).st_size
                self._members(stream)
            if not self.quick:
                self.found.sha256 = stored_file(self.folder, self.found.name).sha256
        except OSError as error:
            self._add("shard_unreadable", "", error.strerror or str(error))
        for key in sorted((self.rows or {}).keys() - self.found.places.keys()):
            self._add("sample_missing", key)
        self._check_size()
        return self.found

    def _add(self, kind: str, key: str, detail: str = "") -> None:
        self.found.violations.append(Violation(kind, self.found.name, key, detail))

    def _check_size(self) -> None:
        if self.found.samples > SAMPLES_PER_SHARD:
            self._add("shard_too_large", "", f"{self.found.samples} samples")
        elif self.found.size > BYTES_PER_SHARD and self.found.samples > 1:
            self._add("shard_too_large", "", f"{self.found.size} bytes")

    def _members(self, stream: BinaryIO) -> None:
        """Group consecutive members of one key into samples and check them."""
        sample: list[Entry] = []
        for item in walk(stream, self.found.size, self.expected):
            key, _, member = item.name.partition(".")
            if isinstance(item, Fault):
                self._add(item.kind, key, f"{member}: {item.detail}" if member else item.detail)
                continue
            if sample and key != sample[0].name.partition(".")[0]:
                self._sample(stream, sample)
                sample = []
            sample.append(item)
        if sample:
            self._sample(stream, sample)

    def _sample(self, stream: BinaryIO, entries: list[Entry]) -> None:
        key = entries[0].name.partition(".")[0]
        members = self._named(key, entries)
        self.found.samples += 1
        if key in self.found.places:
            self._add("key_repeated", key, "twice in this shard")
        elif key < self._last:
            self._add("key_order", key, f"it follows {self._last}")
        self._last = key
        self.found.places.setdefault(key, {MEMBERS[name]: (e.offset, e.size) for name, e in members.items()})
        row = (self.rows or {}).get(key)
        if row is not None:
            self._check_places(key, members, row)
        elif self.rows is not None:
            self._add("sample_unlisted", key)
        self._check_contents(stream, key, members, row)

    def _named(self, key: str, entries: list[Entry]) -> dict[str, Entry]:
        """The sample's members by name, after checking names and order."""
        members: dict[str, Entry] = {}
        for entry in entries:
            name = entry.name.partition(".")[2]
            if name not in MEMBERS or name in members:
                self._add("member_unknown", key, f"{entry.name} at {entry.offset}")
            else:
                members[name] = entry
        if missing := [name for name in MEMBERS if name not in members]:
            self._add("member_missing", key, ", ".join(missing))
        if list(members) != [name for name in MEMBERS if name in members]:
            self._add("member_order", key, ", ".join(members))
        return members

    def _check_places(self, key: str, members: Mapping[str, Entry], row: Fields) -> None:
        for name, entry in members.items():
            for what, really in (("offset", entry.offset), ("size", entry.size)):
                stated = row[f"{MEMBERS[name]}_{what}"]
                if stated != really:
                    self._add(f"{what}_wrong", key, f"{name}: the manifest says {stated}, the shard has {really}")

    def _check_contents(self, stream: BinaryIO, key: str, members: Mapping[str, Entry], row: Fields | None) -> None:
        record: Fields | None = None
        problems: list[Problem] = []
        if "json" in members:
            problems, record = json_problems(_content(stream, members["json"]), key, row)
        if "jpg" in members and not self.quick:
            found, pixels = jpg_problems(_content(stream, members["jpg"]), key, record)
            problems += found
            if pixels is not None and key in self.compared:
                self.found.digests[key] = picture_digest(pixels)
        if "mask.png" in members and not self.quick:
            problems += mask_problems(_content(stream, members["mask.png"]), record)
        for kind, detail in problems:
            self._add(kind, key, detail)


def _content(stream: BinaryIO, entry: Entry) -> bytes:
    stream.seek(entry.offset)
    return stream.read(entry.size)
