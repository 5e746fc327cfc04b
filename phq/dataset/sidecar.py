"""Sidecars: files beside the photos that state licence, author, source, identity and consent of each photo."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from phq.dataset.statements import Statement, parse_statements
from phq.errors import InputError
from phq.photos.frame_names import file_of
from phq.photos.same_path import pair_up


@dataclass(frozen=True)
class Sidecar:
    """Statements of a sidecar, found by the path of a photo or else by its hash."""

    name: str
    """Name of the file, without its folder."""
    sha256: str
    """sha256 of the file."""
    statements: list[Statement]
    by_path: dict[str, Statement]
    by_sha256: dict[str, Statement]
    respelled: tuple[str, ...] = ()
    """Photos whose row spells their path in another way, in order; `by_path` has them too."""
    ambiguous: tuple[str, ...] = ()
    """Paths of rows that would mean several photos, or a photo of another row, in another spelling; in order."""

    def spelled_as(self, names: Iterable[str]) -> Sidecar:
        """The sidecar for photos of these recorded paths: a row whose path is none of them is about the one photo whose
        path is spelled alike, see `phq.photos.same_path`, if nothing else could be meant."""
        there = {of for name in names for of in (name, file_of(name))}
        sure, unsure = pair_up(there - self.by_path.keys(), self.by_path.keys() - there)
        more = {name: self.by_path[path] for name, path in sure.items()}
        return replace(self, by_path=self.by_path | more, respelled=tuple(sorted(sure)), ambiguous=tuple(unsure))

    def about(self, path: str, sha256: str) -> Statement | None:
        """The statement about a photo; None if there is none.

        A row with a path is about the photo there, unless its hash is that of another file; a row with a hash is about
        that file wherever it is. A row with the path of a video or table is about all of its photos that have no row.

        Args:
            path: as recorded, relative to the input folder.
            sha256: of its bytes, '' if they could not be read.
        """
        at_path = self.by_path.get(path)
        if at_path is not None and (not at_path.sha256 or not sha256 or at_path.sha256 == sha256):
            return at_path
        return self.by_sha256.get(sha256) or (self.by_path.get(file_of(path)) if file_of(path) != path else None)


@dataclass(frozen=True)
class Coverage:
    """Which rows of a sidecar matched which photos; each tuple holds names, in order."""

    sidecar: str
    rows: int
    stated: int
    """Photos that a row is about."""
    unstated: tuple[str, ...]
    """Photos without a row."""
    unknown: tuple[str, ...]
    """Rows about photos that do not exist."""
    other_file: tuple[str, ...]
    """Rows with the path of a photo and the hash of another file; they are not used."""
    respelled: tuple[str, ...] = ()
    """Photos whose row spells their path in another way: Unicode form, slashes, ``./``."""
    ambiguous: tuple[str, ...] = ()
    """Paths of rows that are not used, since in another spelling they would mean several photos or rows."""

    def sentences(self) -> Iterator[str]:
        """Sentences for the terminal: what was used, and what did not match, with an example each."""
        yield f"sidecar {self.sidecar}: {self.rows} rows, {self.stated} photos stated"
        for names, text in (
            (self.unstated, "photos without a row"),
            (self.unknown, "rows about photos that do not exist"),
            (self.other_file, "rows not used, since the photo at their path has another sha256"),
            (self.respelled, "photos whose row spells their path in another way (Unicode form, slashes)"),
            (self.ambiguous, "rows not used, since in another spelling several photos or rows have their path"),
        ):
            if names:
                yield f"  {len(names)} {text}, such as {names[0]}"


def read_sidecar(path: Path) -> Sidecar:
    """Read and check a sidecar; see `phq.dataset.statements.parse_statements` for its content.

    Raises:
        InputError: it cannot be read; a photo is stated twice, or two rows contradict each other; with the line.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"the sidecar {path} cannot be read: {error.strerror}") from error
    statements = parse_statements(path, content)
    by_path, by_sha256 = dict[str, Statement](), dict[str, Statement]()
    for new in statements:
        first = by_path.setdefault(new.path, new) if new.path else new
        if first is not new:
            raise InputError(f"the sidecar {path}, {new.where}: {new.path} was stated before, in {first.where}")
        known = by_sha256.setdefault(new.sha256, new) if new.sha256 else new
        if known is not new and (known.fields != new.fields or not (known.path and new.path)):
            raise InputError(f"the sidecar {path}, {new.where}: the sha256 of {new.name} was stated in {known.where}")
    return Sidecar(path.name, hashlib.sha256(content).hexdigest(), statements, by_path, by_sha256)


def sidecar_record(sha256: str, met: Coverage | None) -> dict[str, Any]:
    """The sidecar as ``run.json`` states it; {} without one.

    Args:
        sha256: of the file.
        met: its coverage, None without a sidecar.
    """
    if met is None:
        return {}
    every = ("unstated", "unknown", "other_file", "respelled", "ambiguous")
    counts = {name: len(getattr(met, name)) for name in every}
    return {"name": met.sidecar, "sha256": sha256, "rows": met.rows, "stated": met.stated, **counts}


def coverage(sidecar: Sidecar, photos: Iterable[tuple[str, str]]) -> Coverage:
    """Match rows and photos.

    Args:
        sidecar: the rows.
        photos: recorded path and sha256 ('' if unreadable) of every photo of a build, each once or more often.
    """
    every = sorted(set(photos))
    paths, hashes = {path for path, _ in every}, {sha256 for _, sha256 in every}
    met = {photo: sidecar.about(*photo) for photo in every}
    used = {id(statement) for statement in met.values()}
    about = {sidecar.by_path[path].path for path in paths if path in sidecar.by_path}
    idle = [row for row in sidecar.statements if id(row) not in used and row.sha256 not in hashes - {""}]
    return Coverage(
        sidecar.name,
        len(sidecar.statements),
        sum(statement is not None for statement in met.values()),
        tuple(path for path, sha256 in every if met[path, sha256] is None),
        tuple(row.name for row in idle if row.path not in about and row.path not in sidecar.ambiguous),
        tuple(row.name for row in idle if row.path in about),
        tuple(name for name in sidecar.respelled if name in paths),
        sidecar.ambiguous,
    )
