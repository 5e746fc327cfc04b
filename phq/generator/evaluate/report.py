"""What an evaluation writes: its numbers rounded, the same bytes for the same numbers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from phq.system.atomic import write_bytes

DIGITS = 6


def rounded(value: Any) -> Any:
    """A number to `DIGITS` places; of a dictionary all that are in it."""
    if isinstance(value, dict):
        return {name: rounded(part) for name, part in value.items()}
    return round(value, DIGITS) if isinstance(value, float) else value


def write_report(path: Path, report: dict[str, Any]) -> None:
    """Write it as JSON.

    Raises:
        OutputError: it cannot be written.
    """
    write_bytes(path, json.dumps(report, indent=1, sort_keys=True, allow_nan=False).encode() + b"\n")
