"""The labels of the embedded body, in a dataset where an overlay states them for another body."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

from phq.dataset.overlays import NONE
from phq.dataset.reader import Dataset
from phq.pose.body import load_body
from phq.pose.body_choice import open_body
from phq.pose.drawn import Bodies

BODY_COLUMNS = ("body_model", "smpl_pose", "smpl_betas", "smpl_transl", "pose_observed", "neck_head_pose")
"""Columns of `phq.schema.Row` that belong to a body; cameras and angles are the same for every body."""


class EmbeddedLabels:
    """Looks for them down the stack of overlays, from a state of the dataset."""

    def __init__(self, dataset: Dataset) -> None:
        self._where, self._states = dataset.root.where, [NONE, *dataset.overlays[:-1]]

    def of(self, row: Mapping[str, Any]) -> dict[str, Any] | None:
        """`BODY_COLUMNS` of a row for the embedded body; None if nobody has ever stated them."""
        if row["body_model"] == load_body().name:
            return {name: row[name] for name in BODY_COLUMNS}
        if not row["body_model"]:
            return None
        for state in self._below:
            before = state[row["key"]].row
            if before["body_model"] == load_body().name:
                return {name: before[name] for name in BODY_COLUMNS}
        return None

    @cached_property
    def _below(self) -> list[Dataset]:
        return [Dataset(self._where, overlay=state, rejects=True) for state in reversed(self._states)]


def bodies_of(dataset: Dataset, word: str | None = None) -> Bodies:
    """How records of a dataset are drawn: with the body that a word names, or the embedded one.

    Raises:
        ConfigError, WeightError, MissingExtraError: see `phq.pose.body_choice.open_body`.
    """
    return Bodies(None if word is None else open_body(word), EmbeddedLabels(dataset).of)
