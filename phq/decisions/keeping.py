"""Rejected samples that can come back: they are stored like all others, and an overlay says that they are rejected.

So a build with ``keep_rejects`` is a build without thresholds and the decision laid over it. ``phq decide`` takes it
again, ``phq bake`` writes the dataset without them, and whoever reads through `phq.dataset` does not see them.
"""

from __future__ import annotations

from pathlib import Path

from phq.config.build import Config
from phq.dataset.reader import Dataset
from phq.decisions.applying import apply, free_name
from phq.decisions.deciding import Decided, decide_with

NAME = "build"
"""Of the overlay; of later ones, after an extension, with a number behind it."""


def lay_decision(folder: Path, config: Config) -> Decided:
    """Decide by the configuration of the build, on a dataset that was stored by `phq.config.build.Config.storing_all`.

    Raises:
        OutputError: the overlay cannot be written.
    """
    decided = decide_with(Dataset(folder, rejects=True), config)
    if len(decided.before):
        apply(decided, free_name(decided, NAME, bare=True))
    return decided
