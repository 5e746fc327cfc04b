"""The rows of a redaction, and the names that vanish with them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from phq.dataset.named_photo import at_path, digest_of_file
from phq.dataset.tombstones import tombstoned
from phq.errors import InputError

COLUMNS = ("key", "source_path", "source_sha256", "duplicate_of")
"""Columns a target is found by."""


@dataclass(frozen=True)
class Target:
    """The rows to remove, and their names."""

    rows: NDArray[np.bool_]
    """One a row of the table."""
    keys: frozenset[str]
    """Every key among them."""
    paths: frozenset[str]
    """Paths of photos without any row left."""
    hashes: frozenset[str]
    """sha256 of photos without any row left."""
    lookalikes: tuple[str, ...]
    """Keys, or else paths, of rejects that stay though they are duplicates of a removed sample; sorted."""

    @property
    def names(self) -> frozenset[str]:
        """Everything that must not be named any more."""
        return self.keys | self.paths | self.hashes


def target_of_keys(table: pa.Table, keys: Iterable[str], folder: Path) -> Target:
    """Every row with one of the keys; keys that were redacted before are passed over.

    Args:
        table: `COLUMNS`, rows of manifest and rejects.
        keys: whole keys.
        folder: of the dataset.

    Raises:
        InputError: no row has one of the keys.
    """
    wanted = sorted(set(keys))
    known = set(table["key"].to_pylist())
    done = tombstoned(folder, [key for key in wanted if key not in known])
    for key in wanted:
        if key not in known and key not in done:
            near = sorted(k for k in known if k and key and k.startswith(key))
            hint = f"; did you mean {near[0]}? The whole key is needed" if near else ""
            raise InputError(f"{folder} has no sample {key!r}{hint}")
    return _target(table, _mask(pc.is_in(table["key"], value_set=pa.array(wanted, pa.string()))))


def target_of_photo(table: pa.Table, photo: str, folder: Path) -> Target:
    """Every row, kept or not, of a photo: of the recorded path, of the same bytes under another path, and those with
    the same stored picture.

    Args:
        table: `COLUMNS`, rows of manifest and rejects.
        photo: a recorded ``source_path``, or else a file, of which the sha256 is looked up.
        folder: of the dataset.

    Raises:
        InputError: no row is of this photo, and it was not redacted before.
    """
    recorded = at_path(table["source_path"], photo)
    digests = set(table["source_sha256"].filter(recorded).to_pylist()) - {"", None}
    if not pc.any(recorded).as_py():
        if (digest := digest_of_file(photo)) is None:
            raise InputError(f"{photo!r} is neither the source_path of a photo of {folder} nor a file")
        digests = {digest}
    of_photo = pc.or_(recorded, _is_one_of(table["source_sha256"], digests))
    if not pc.any(of_photo).as_py() and not tombstoned(folder, digests):
        raise InputError(f"{folder} has no photo of the bytes of {photo}")
    keys = set(table["key"].filter(of_photo).to_pylist()) - {"", None}
    return _target(table, _mask(pc.or_(of_photo, _is_one_of(table["key"], keys))))


def target_of_names(table: pa.Table, names: Iterable[str]) -> Target:
    """Every row with one of these keys, or of a photo with one of these ``source_sha256``."""
    wanted = set(names)
    return _target(table, _mask(pc.or_(_is_one_of(table["key"], wanted), _is_one_of(table["source_sha256"], wanted))))


def _target(table: pa.Table, rows: NDArray[np.bool_]) -> Target:
    gone, stay = table.filter(pa.array(rows)), table.filter(pa.array(~rows))
    keys = set(gone["key"].to_pylist()) - {"", None}
    alike = stay.filter(_is_one_of(stay["duplicate_of"], keys)).to_pylist()
    return Target(
        rows,
        frozenset(keys),
        _vanished(gone, stay, "source_path"),
        _vanished(gone, stay, "source_sha256"),
        tuple(sorted(row["key"] or row["source_path"] for row in alike)),
    )


def _vanished(gone: pa.Table, stay: pa.Table, column: str) -> frozenset[str]:
    names = pc.unique(gone[column].combine_chunks())
    names = names.filter(pc.invert(pc.is_in(names, value_set=stay[column].combine_chunks())))
    return frozenset(set(names.to_pylist()) - {"", None})


def _is_one_of(column: pa.ChunkedArray, names: set[str]) -> pa.ChunkedArray:
    return pc.is_in(column, value_set=pa.array(sorted(names), pa.string()))


def _mask(chosen: pa.ChunkedArray) -> NDArray[np.bool_]:
    mask: NDArray[np.bool_] = pc.fill_null(chosen, False).to_numpy()
    return mask
