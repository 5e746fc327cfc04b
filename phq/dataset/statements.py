"""Rows of a sidecar file in CSV, JSON or JSON lines, checked; errors name the line."""

from __future__ import annotations

import csv
import io
import json
import posixpath
import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from phq.errors import InputError
from phq.schema import CONSENT, PROVENANCE

ALIASES = {"license": "licence", "photographer": "author", "url": "source", "model_release": "consent"}
_CONSENT = {
    **{text: text for text in CONSENT},
    "true": "yes", "1": "yes", "false": "no", "0": "no", "unknown": "", "not applicable": "",
    "mr-umr": "yes", "mr-lmr": "limited", "mr-non": "no", "mr-nap": "",
}  # fmt: skip
"""Values of ``consent`` in a sidecar, in lower case: those of the record, and the model release status of IPTC photo
metadata (PLUS: unlimited, limited or incomplete, none, not applicable)."""
COLUMNS = ("path", "sha256", *PROVENANCE)
DELIMITERS = ",;\t"
"""Delimiters of CSV files; spreadsheets write all three."""
_SHA256 = re.compile(r"[0-9a-f]{64}")
_SPACE = re.compile(r"[\s\x00-\x1f\x7f-\x9f]+")
_HALF = re.compile(r"[\ud800-\udfff]")
_Cells = list[tuple[str, Any]]


@dataclass(frozen=True)
class Statement:
    """The statement of one row about one photo."""

    where: str
    """``line 3``, or in a JSON list ``entry 3``."""
    path: str
    """Path as it is recorded: relative to the input folder, with forward slashes; '' if the row has only a hash."""
    sha256: str
    """sha256 of the photo's bytes, '' if not stated."""
    fields: tuple[str, ...]
    """Values of `PROVENANCE`, in that order; '' if not stated."""

    @property
    def name(self) -> str:
        """Its path, or else its hash."""
        return self.path or self.sha256


class _Object(list[tuple[str, Any]]):
    """A JSON object as pairs, so that a repeated name is noticed."""


def parse_statements(path: Path, content: bytes) -> list[Statement]:
    """Rows of a sidecar in file order.

    Columns are ``path`` or ``sha256`` or both, and any of `PROVENANCE` and `ALIASES`, in any order and case; others
    are ignored. Text is UTF-8 (or UTF-16 with a byte order mark); white space is collapsed and Unicode composed
    (NFC) in all but paths, so that one name is one text.

    Args:
        path: for its suffix, ``.csv``, ``.tsv``, ``.json``, ``.jsonl`` or ``.ndjson``, and for messages.
        content: the file's bytes.

    Raises:
        InputError: names the file and the line.
    """
    readers = {".csv": _csv_rows, ".tsv": _csv_rows, ".json": _json_rows, ".jsonl": _line_rows, ".ndjson": _line_rows}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise InputError(f"the sidecar {path} is neither .csv, .json nor .jsonl")
    try:
        statements = [_statement(where, cells) for where, cells in reader(_decoded(content))]
    except _WrongError as error:
        raise InputError(f"the sidecar {path}, {error}") from error
    if not statements:
        raise InputError(f"the sidecar {path} has no rows")
    return statements


class _WrongError(Exception):
    """An error in the content, with its place."""


def _decoded(content: bytes) -> str:
    wide = content[:2] in (b"\xff\xfe", b"\xfe\xff")
    try:
        return content.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise _WrongError(f"line {line}: not UTF-8 text; save it as UTF-8") from error


def _csv_rows(text: str) -> Iterator[tuple[str, _Cells]]:
    header = re.split(r"[\r\n]", text.lstrip("\r\n"), maxsplit=1)[0]
    delimiter = next((d for d in DELIMITERS if {"path", "sha256"} & {*_names(header.split(d))}), ",")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True, strict=True)
    names: list[str] = []
    last = 0
    try:
        for row in reader:
            where, last = f"line {last + 1}", reader.line_num
            cells = row if any(map(str.strip, row)) else []  # spreadsheets write empty rows as ,,,
            if cells and not names:
                names = cells
                _check_columns(f"{where}: ", names)
            elif cells and len(cells) != len(names):
                raise _WrongError(f"{where}: {len(cells)} cells, but the header has {len(names)}")
            elif cells:
                yield where, list(zip(names, cells, strict=True))
    except csv.Error as error:
        raise _WrongError(f"line {last + 1}: not CSV: {error}") from error


def _json_rows(text: str) -> Iterator[tuple[str, _Cells]]:
    rows = _json(text, 1)
    if isinstance(rows, _Object) or not isinstance(rows, list):
        raise _WrongError("line 1: expected a list of objects, one a photo")
    return _object_rows((f"entry {number}", row) for number, row in enumerate(rows, 1))


def _line_rows(text: str) -> Iterator[tuple[str, _Cells]]:
    lines = ((number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip())
    return _object_rows((f"line {number}", _json(line, number)) for number, line in lines)


def _object_rows(rows: Iterable[tuple[str, Any]]) -> Iterator[tuple[str, _Cells]]:
    seen: dict[str, None] = {}
    for where, row in rows:
        if not isinstance(row, _Object):
            raise _WrongError(f"{where}: expected an object with 'path' and {', '.join(PROVENANCE)}")
        seen |= dict.fromkeys(_names(name for name, _ in row))
        yield where, row
    if seen:
        _check_columns("", seen)


def _json(text: str, line: int) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_Object)
    except json.JSONDecodeError as error:
        raise _WrongError(f"line {line + error.lineno - 1}: not JSON: {error.msg}") from error
    except (ValueError, RecursionError) as error:  # a number of thousands of digits; lists nested too deeply
        raise _WrongError(f"line {line}: not JSON that can be read: {error}") from error


def _names(cells: Iterable[str]) -> Iterator[str]:
    for cell in cells:
        name = cell.strip().strip('"').lower()
        yield ALIASES.get(name, name)


def _check_columns(where: str, cells: Iterable[str]) -> None:
    names = {*_names(cells)}
    if not {"path", "sha256"} & names:
        raise _WrongError(f"{where}there is no 'path' (nor 'sha256') to say which photo is meant")
    if not {*PROVENANCE} & names:
        raise _WrongError(f"{where}there is nothing about a photo: none of {', '.join(PROVENANCE)}")


def _statement(where: str, cells: _Cells) -> Statement:
    row: dict[str, str] = {}
    for name, (stated, value) in zip(_names(name for name, _ in cells), cells, strict=True):
        if name in row:
            raise _WrongError(f"{where}: {name} is stated twice, the second time as {stated!r}")
        if name in COLUMNS:
            row[name] = _text(f"{where}: {name}", value)
    path, sha256 = row.get("path", ""), row.get("sha256", "").strip().lower()
    if sha256 and not _SHA256.fullmatch(sha256):
        raise _WrongError(f"{where}: sha256 is {sha256[:80]!r}, not 64 hexadecimal digits")
    if not path and not sha256:
        raise _WrongError(f"{where}: neither path nor sha256 says which photo is meant")
    row["consent"] = _consent(where, row.get("consent", ""))
    fields = tuple(_clean(row.get(name, "")) for name in PROVENANCE)
    return Statement(where, posixpath.normpath(path) if path else "", sha256, fields)


def _consent(where: str, value: str) -> str:
    stated = _CONSENT.get(value.strip().lower().rpartition("/")[2])  # PLUS writes the end of a URL
    if stated is None:
        raise _WrongError(f"{where}: consent is {value[:80]!r}; it can be yes, limited, no or unknown")
    return stated


def _text(what: str, value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):  # consent in JSON
        return str(value).lower()
    if type(value) is int:  # an identity may be a number
        return str(value)
    if not isinstance(value, str):
        raise _WrongError(f"{what} is not text")
    if _HALF.search(value):
        raise _WrongError(f"{what} has half a character in it (a lone surrogate)")
    return value


def _clean(value: str) -> str:
    return unicodedata.normalize("NFC", _SPACE.sub(" ", value).strip())


def names_of(identity: str) -> tuple[str, ...]:
    """Names in the field ``identity``, sorted, each once; () if it is ''."""
    return tuple(sorted({name.strip() for name in identity.split(";")} - {""}))
