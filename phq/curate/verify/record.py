"""Verification of a sample's json: whole, canonical, valid, and equal to its row in the manifest."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from phq.curate.verify.pictures import Problem
from phq.schema import Sample, sample_to_json

Fields = Mapping[str, Any]
_SHOWN = 3


def canonical(row: Fields) -> bytes | None:
    """The json that belongs to a row of the manifest; None if the row itself is not a valid sample."""
    try:
        return sample_to_json(Sample.model_validate({name: row[name] for name in Sample.model_fields}))
    except ValidationError:
        return None


def read_json(content: bytes) -> Sample | Problem:
    """The sample in a json member, or the problem with it."""
    try:
        json.loads(content)
    except ValueError as error:
        return "json_damaged", str(error)
    try:
        return Sample.model_validate_json(content, strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        return "json_invalid", f"{where}: {first['msg']}" + _more(error.error_count() - 1)


def json_problems(content: bytes, key: str, row: Fields | None) -> tuple[list[Problem], Fields | None]:
    """Problems of a json member, and the record to check the pictures against: the row, else the json itself."""
    right = canonical(row) if row is not None else None
    if content == right:  # whole, canonical, valid and equal at once
        return [], row
    valid = row if right else None
    sample = read_json(content)
    if not isinstance(sample, Sample):
        return [sample], valid
    problems = [] if sample_to_json(sample) == content else [("json_not_canonical", _difference(content, sample))]
    record = sample.model_dump()
    if row is not None:
        problems += _differing(record, row)
    elif record["key"] != key:
        problems.append(("json_differs", f"its key is {record['key']}"))
    return problems, valid or record


def _difference(content: bytes, sample: Sample) -> str:
    right = sample_to_json(sample)
    same = next((i for i, (a, b) in enumerate(zip(content, right, strict=False)) if a != b), None)
    return f"from byte {min(len(content), len(right)) if same is None else same} on"


def _differing(record: Fields, row: Fields) -> list[Problem]:
    names = [name for name in record if record[name] != row[name]]
    if not names:
        return []
    shown = [f"{name} is {_short(record[name])}, in the manifest {_short(row[name])}" for name in names[:_SHOWN]]
    return [("json_differs", ", ".join(shown) + _more(len(names) - _SHOWN))]


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}…"


def _more(count: int) -> str:
    return f" (and {count} more)" if count > 0 else ""
