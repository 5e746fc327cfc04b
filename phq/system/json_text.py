"""JSON files as phq writes them: readable, keys sorted, so that equal content gives equal bytes."""

from __future__ import annotations

import json
from typing import Any


def json_bytes(value: Any) -> bytes:
    """Content of a JSON file."""
    return (json.dumps(value, indent=2, sort_keys=True) + "\n").encode()
