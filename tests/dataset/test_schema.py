"""The published JSON Schema is the one of the code."""

from __future__ import annotations

import json
from pathlib import Path

from phq.schema import json_schema

STORED = Path(__file__).parents[2] / "schemas" / "sample.schema.json"


def test_stored_schema_is_that_of_the_code() -> None:
    stored = json.loads(STORED.read_text("utf-8"))
    assert stored == json_schema(), "run: python -m phq.schema > schemas/sample.schema.json"
