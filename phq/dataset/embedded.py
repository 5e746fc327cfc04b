"""Labels for the embedded body in a dataset whose overlays state them for another body."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

from phq.dataset.overlays import NONE
from phq.dataset.reader import Dataset
from phq.pose.body import load_body
from phq.pose.drawn import Bodies

BODY_COLUMNS = ("body_model", "smpl_pose", "smpl_betas", "smpl_transl", "pose_observed", "neck_head_pose")
"""Columns of `phq.schema.Row` that belong to a body; cameras and angles are the same for every body."""


class EmbeddedLabels:
    """Looks for them in the earlier revisions of a dataset."""

    def __init__(self, dataset: Dataset) -> None:
        self._where, self._earlier = dataset.root.where, [NONE, *dataset.overlays[:-1]]

    def of(self, row: Mapping[str, Any]) -> dict[str, Any] | None:
        """`BODY_COLUMNS` of a row for the embedded body; None if no revision has them."""
        if row["body_model"] == load_body().name:
            return {name: row[name] for name in BODY_COLUMNS}
        if not row["body_model"]:
            return None
        for revision in self._revisions:
            before = revision[row["key"]].row
            if before["body_model"] == load_body().name:
                return {name: before[name] for name in BODY_COLUMNS}
        return None

    @cached_property
    def _revisions(self) -> list[Dataset]:
        return [Dataset(self._where, revision=name, rejects=True) for name in reversed(self._earlier)]


def bodies_of(dataset: Dataset, word: str | None = None) -> Bodies:
    """Bodies for drawing the records of a dataset.

    Args:
        dataset: the dataset.
        word: spec of the body, see `phq.pose.body_choice.open_body`; None for the embedded one.

    Raises:
        ConfigError: see `phq.pose.body_choice.open_body`.
        WeightError: see `phq.pose.body_choice.open_body`.
        MissingExtraError: see `phq.pose.body_choice.open_body`.
    """
    if word is None:
        return Bodies(None, EmbeddedLabels(dataset).of)
    from phq.pose.body_choice import open_body  # readers of SMPL files, which take scipy

    return Bodies(open_body(word), EmbeddedLabels(dataset).of)
