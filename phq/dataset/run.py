"""``run.json``: how a dataset was made, and which overlays are in force."""

from __future__ import annotations

import json
from typing import Any

from phq.dataset.folder import RUN
from phq.dataset.root import Root
from phq.errors import InputError


def read_run(root: Root) -> dict[str, Any]:
    """Content of ``run.json``.

    Raises:
        InputError: it is missing, cannot be read or is damaged.
    """
    try:
        run = json.loads(root.read(RUN))
    except ValueError as error:
        raise InputError(f"{RUN} of {root.where} is damaged: {error}") from error
    if not isinstance(run, dict):
        raise InputError(f"{RUN} of {root.where} is damaged: it holds no object")
    return run


def run_bytes(run: dict[str, Any]) -> bytes:
    """``run.json`` as it is stored."""
    return (json.dumps(run, indent=2, sort_keys=True) + "\n").encode()
