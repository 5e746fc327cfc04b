"""Weights carried to a machine without a network: one zip of files and their checksums.

``phq-weights.json`` is its first member: a list of name, file, size and sha256. The files follow, uncompressed.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any
from zipfile import ZIP_STORED, BadZipFile, ZipFile, ZipInfo

from phq.errors import InputError, OutputError, WeightError
from phq.system.atomic import atomic_write, output_errors
from phq.weights.catalogue import Remote, remote, remotes
from phq.weights.digest import BLOCK
from phq.weights.pins import expected_sha256
from phq.weights.store import HERE, path_of, put_in_place, state_of, turn, weights_path

CONTENTS = "phq-weights.json"


@dataclass(frozen=True)
class Brought:
    """What `import_archive` did."""

    entries: tuple[Remote, ...]
    """What is now in the cache, in the order of the archive."""
    unknown: tuple[str, ...]
    """Names that this version of phq does not know; they were left in the archive."""


def export_archive(archive: Path, names: Sequence[str] = ()) -> tuple[Remote, ...]:
    """Write weights of the cache into a new archive; all that are there if none are named.

    The same files give the same bytes.

    Raises:
        WeightError: a named one is not in the cache, or not what it should be; or the cache is empty.
        OutputError: the archive exists, or cannot be written.
    """
    if archive.exists():
        raise OutputError(f"{archive} exists; choose another name")
    wanted = [remote(name) for name in dict.fromkeys(names)] or [e for e in remotes().values() if state_of(e) == HERE]
    if not wanted:
        raise WeightError("no weights are in the cache to export: phq weights pull NAME")
    contents = [
        {"name": e.name, "file": e.file, "size": weights_path(e.name).stat().st_size, "sha256": expected_sha256(e)}
        for e in wanted
    ]
    with atomic_write(archive) as stream, ZipFile(stream, "w", ZIP_STORED) as target:
        target.writestr(_member(CONTENTS), json.dumps(contents, indent=1) + "\n")
        for entry in wanted:
            with path_of(entry).open("rb") as source, target.open(_member(entry.file), "w", force_zip64=True) as member:
                shutil.copyfileobj(source, member, BLOCK)
    return tuple(wanted)


def import_archive(archive: Path) -> Brought:
    """Bring the weights of an archive into the cache; each is checked before it takes its place.

    Weights without a registered checksum are taken as the archive states them, unless others are pinned here already.

    Raises:
        InputError: it cannot be read, or is no archive of weights.
        WeightError: a file in it is not what it should be; those before it are in the cache.
        OutputError: the cache cannot be written.
    """
    try:
        with ZipFile(archive) as source:
            listed = _contents(source)
            known = [(remotes()[item["name"]], item) for item in listed if item["name"] in remotes()]
            for entry, item in known:
                _bring(entry, item, source)
    except (OSError, BadZipFile, EOFError, KeyError, ValueError, TypeError, NotImplementedError) as error:
        raise InputError(f"{archive} cannot be read as an archive of weights: {error}") from error
    return Brought(
        tuple(entry for entry, _ in known), tuple(str(i["name"]) for i in listed if i["name"] not in remotes())
    )


def _contents(source: ZipFile) -> list[dict[str, Any]]:
    listed = json.loads(source.read(CONTENTS))
    if not isinstance(listed, list) or not all({"name", "file", "sha256"} <= set(item) for item in listed):
        raise ValueError(f"its {CONTENTS} is not what phq writes")
    return listed


def _bring(entry: Remote, item: dict[str, Any], source: ZipFile) -> None:
    """Copy one member into the cache, under the name that the registry gives it."""
    with turn(entry):
        expected = expected_sha256(entry) or item["sha256"]
        if item["sha256"] != expected:
            raise WeightError(f"{entry.name} in the archive has sha256 {item['sha256']}, expected {expected}")
        if state_of(entry) == HERE:
            return
        part = path_of(entry).with_name(entry.file + ".part")
        with source.open(item["file"]) as member:
            found = _copied(member, part)
        if found != expected:
            part.unlink()
            raise WeightError(f"{entry.name} in the archive is damaged: it has sha256 {found}, expected {expected}")
        put_in_place(entry, part, found)


def _copied(member: IO[bytes], part: Path) -> str:
    digest = hashlib.sha256()
    with output_errors(part):
        stream = part.open("wb")
    with stream:
        for block in _blocks(member):
            digest.update(block)
            with output_errors(part):
                stream.write(block)
    return digest.hexdigest()


def _blocks(member: IO[bytes]) -> Iterable[bytes]:
    return iter(lambda: member.read(BLOCK), b"")


def _member(name: str) -> ZipInfo:
    return ZipInfo(name)  # dated 1980: no clock in the bytes
