"""Predictions in a file: Parquet, CSV or JSON lines (both also with .gz), npz, or a folder of npz."""

from __future__ import annotations

import csv
import gzip
import hashlib
import json
import re
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from phq.curate.predictions.columns import NAMES, TEXT, renamed
from phq.errors import InputError
from phq.system.arrays import Doubles
from phq.weights.digest import sha256_of

_NUMBERED = re.compile(r"(?P<photo>.+?)_(?P<person>\d+)")
_SHARED = ("focal_px", "image_size", "world2cam", "cam2world")
"""What a file may state once for all of its rows."""


@dataclass(frozen=True)
class PredictedRow:
    """One person as a program states it."""

    where: str
    """For sentences: which row of the file."""
    names: dict[str, str] = field(default_factory=dict)
    """``key``, ``sha256`` and ``photo``, as far as they are stated."""
    numbers: dict[str, Doubles] = field(default_factory=dict)
    """Arrays by the names of `phq.curate.predictions.columns.NAMES`."""
    fault: str = ""
    """Why it cannot be used; '' if it can."""


def read_predictions(path: Path) -> tuple[list[PredictedRow], str]:
    """All rows, in the order of the file, and the sha256 of its bytes (of a folder: of its files' names and bytes).

    Raises:
        InputError: there is no such file, it is of another format or damaged, or it holds nothing.
    """
    try:
        if path.is_dir():
            rows, digest = _folder(path)
        else:
            rows, digest = list(_reader(path)(path)), sha256_of(path)
    except OSError as error:
        raise InputError(f"the predictions {path} cannot be read: {error.strerror or error}") from error
    except (ValueError, EOFError, KeyError, zipfile.BadZipFile, zlib.error, pa.ArrowException, csv.Error) as error:
        raise InputError(f"the predictions {path} cannot be read: {error}") from error
    if not rows:
        raise InputError(f"the predictions {path} hold no row")
    return rows, digest


def _reader(path: Path) -> Callable[[Path], Iterator[PredictedRow]]:
    if not path.exists():
        raise InputError(f"there are no predictions at {path}")
    texts = {".csv": _csv, ".jsonl": _json_lines, ".ndjson": _json_lines}
    readers = {".parquet": _parquet, ".npz": _npz} | texts | {f"{end}.gz": reader for end, reader in texts.items()}
    ends = next((end for end in (path.suffix, "".join(path.suffixes[-2:])) if end.lower() in readers), "")
    if not ends:
        raise InputError(f"{path} is none of {', '.join(readers)}, or a folder of .npz")
    return readers[ends.lower()]


def _open_text(path: Path) -> TextIO:
    opener: Any = gzip.open if path.suffix.lower() == ".gz" else open
    stream: TextIO = opener(path, "rt", newline="", encoding="utf-8-sig")
    return stream


def _check_once(names: Iterable[str]) -> None:
    """Raise for a name that a program wrote twice: which of the two it means is not known."""
    twice = sorted(name for name, count in Counter(names).items() if count > 1)
    if twice:
        raise ValueError(f"{', '.join(twice)} is there twice")


def _parquet(path: Path) -> Iterator[PredictedRow]:
    with pq.ParquetFile(path) as file:
        known = {name for names in NAMES.values() for name in names}
        columns = [name for name in file.schema_arrow.names if name in known]
        _check_once(columns)
        number = 0
        for batch in file.iter_batches(columns=columns):
            for row in batch.to_pylist():
                number += 1
                yield made(row, f"row {number}")


def _csv(path: Path) -> Iterator[PredictedRow]:
    """As OpenFace writes them, with spaces after the commas; a list is numbers with spaces between."""
    with _open_text(path) as stream:
        reader = csv.DictReader(stream, skipinitialspace=True)
        _check_once(name.strip() for name in reader.fieldnames or () if name.strip())
        for number, row in enumerate(reader, start=2):
            plain = {name.strip(): value.strip() for name, value in row.items() if name and value and value.strip()}
            yield made({name: _cell(name, value) for name, value in plain.items()}, f"line {number}")


def _cell(name: str, value: str) -> Any:
    if any(name in NAMES[text] for text in TEXT):
        return value
    parts = value.strip("[]").replace(",", " ").split()
    try:
        numbers = [float(part) for part in parts]
    except ValueError:
        return value
    return numbers[0] if len(numbers) == 1 else numbers


def _json_lines(path: Path) -> Iterator[PredictedRow]:
    with _open_text(path) as stream:
        for number, line in enumerate(stream, start=1):
            if line.strip():
                try:
                    row = json.loads(line, object_pairs_hook=_object)
                except ValueError as error:
                    raise ValueError(f"line {number}: {error}") from error
                if not isinstance(row, dict):
                    raise ValueError(f"line {number} is not a JSON object")
                yield made(row, f"line {number}")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    _check_once(name for name, _ in pairs)
    return dict(pairs)


def _npz(path: Path) -> Iterator[PredictedRow]:
    arrays = _arrays(path)
    if not {"key", "sha256", "photo"} & arrays.keys():
        raise ValueError("no array names the photos or samples (key, sha256 or photo)")
    yield from _split(arrays, {}, "row")


def _folder(path: Path) -> tuple[list[PredictedRow], str]:
    """A file a photo, or a photo and person (``NAME_0.npz``), in the order of names."""
    files, digest = sorted(path.rglob("*.npz")), hashlib.sha256()
    rows: list[PredictedRow] = []
    for file in files:
        name = file.relative_to(path).with_suffix("").as_posix()
        digest.update(f"{name} {sha256_of(file)}\n".encode())
        rows += _split(_arrays(file), {"photo": name}, f"{name}.npz, person")
    return rows, digest.hexdigest()


def stems(photo: str) -> Iterator[str]:
    """The photo that a file of a folder is about: by its own name, and without a number of the person."""
    yield photo
    if match := _NUMBERED.fullmatch(photo):
        yield match["photo"]


def _arrays(path: Path) -> dict[str, Any]:
    try:
        with np.load(path, allow_pickle=False) as file:
            return renamed({name: file[name] for name in file.files})
    except ValueError as error:
        if "allow_pickle" in str(error):
            raise ValueError(
                f"{path.name} has a pickled array, which could run a program; save plain arrays"
            ) from error
        raise


def _split(arrays: dict[str, Any], names: dict[str, str], where: str) -> Iterator[PredictedRow]:
    """Rows along the first axis; what is stated once counts for all."""
    people = _people(arrays)
    row_wise = {name: np.asarray(value) for name, value in arrays.items()}
    least = dict(_LEAST)
    named = any(name in row_wise and row_wise[name].shape == (people,) for name in TEXT)
    if named and "rotation" in row_wise and row_wise["rotation"].shape in ((people, 3), (people, 9)):
        least["rotation"] = 2
    for person in range(people):
        row: dict[str, Any] = dict(names)
        for name, value in row_wise.items():
            once = value.ndim == 0 or (name in _SHARED and len(value) != people) or value.ndim < least.get(name, 1)
            row[name] = value if once else value[person]
        yield made(row, f"{where} {person + 1}")


_LEAST = {
    "neck": 2,
    "root": 2,
    "body_pose": 2,
    "pose": 2,
    "betas": 2,
    "keypoints": 3,
    "rotation": 3,
    "box": 2,
    "box_center": 2,
}
"""Axes of an array with rows; with fewer it is that of one person, but for a vector a row beside names of rows."""


def _people(arrays: dict[str, Any]) -> int:
    counts = {
        name: len(value)
        for name, value in arrays.items()
        if name not in _SHARED and np.ndim(value) >= max(1, _LEAST.get(name, 1))
    }
    if len(set(counts.values())) > 1:
        listed = ", ".join(f"{name} {count}" for name, count in counts.items())
        raise ValueError(f"its arrays have different numbers of rows: {listed}")
    return next(iter(counts.values()), 1)


def made(row: dict[str, Any], where: str) -> PredictedRow:
    """A row from its values under any of their names."""
    known = renamed(row)
    names = {name: _text(known[name]) for name in TEXT if name in known}
    numbers: dict[str, Doubles] = {}
    for name in known.keys() - set(TEXT):
        try:
            numbers[name] = np.asarray(_plain(known[name]), np.float64)
        except (TypeError, ValueError):
            return PredictedRow(where, names, fault=f"{name} is not a list of numbers, or its rows differ in length")
        if not np.isfinite(numbers[name]).all():
            return PredictedRow(where, names, fault=f"{name} is not finite")
    return PredictedRow(where, names, numbers)


def _plain(value: Any) -> Any:
    return value.tolist() if hasattr(value, "tolist") else value


def _text(value: Any) -> str:
    plain = _plain(value)
    return plain.decode() if isinstance(plain, bytes) else str(plain)
