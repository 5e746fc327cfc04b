"""What a likeness means for a sample: the fields of the record, under a configuration."""

from __future__ import annotations

from typing import Any

from phq.config.build import Duplicates
from phq.decisions.duplicates import Duplicate
from phq.schema import rounded


def alike_verdict(key: str, found: Duplicate, path: str, config: Duplicates) -> dict[str, Any]:
    """Fields of a sample that looks like a better one.

    The very same image again is always rejected: a key can be stored only once.

    Args:
        key: of the sample. path: of the photo of the better one.
    """
    if not (found.exact or key == found.key or config.reject):
        return {"duplicate_of": found.key}
    limit = max(config.bits, found.distance) + 1  # the least distance that is kept
    return {
        "duplicate_of": found.key,
        "decision": "rejected",
        "reason": "exact_duplicate" if found.exact else "duplicate",
        "detail": f"{found.distance} bits from {found.key} of {path}",
        "score_name": "phash",
        "threshold": float(limit),
        "margin": rounded("margin", min(found.distance / limit, 1.0) - 1.0),
    }


def scene_verdict(key: str, group: str, config: Duplicates) -> dict[str, Any]:
    """Fields of a sample of a scene whose best sample is `group`."""
    if not config.scene or key == group:
        return {"scene_group": group}
    return {
        "scene_group": group,
        "decision": "rejected",
        "reason": "same_scene",
        "detail": f"the same person in the same scene as {group}, which is better",
        "score_name": "",
        "threshold": 0.0,
        "margin": 0.0,
    }
