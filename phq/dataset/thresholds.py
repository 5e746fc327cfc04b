"""The thresholds in force."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain

from phq.dataset.overlays import about_overlay
from phq.dataset.reader import Dataset


def thresholds_in_force(dataset: Dataset) -> dict[str, float]:
    """Thresholds by address: those of the topmost overlay that states any, else of the build; {} if none are stated.

    Raises:
        InputError: an overlay cannot be read.
    """
    overlays = (about_overlay(dataset.root, name) for name in reversed(dataset.overlays))
    for record in chain(overlays, [dataset.run]):
        config = record.get("config")
        if isinstance(config, Mapping) and "thresholds" in config:
            return {str(address): float(value) for address, value in config["thresholds"].items()}
    return {}
