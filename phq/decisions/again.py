"""Keep or reject, decided again over the scores as they now stand."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import pyarrow as pa

from phq.config.build import Config
from phq.decisions.alike import STORED as LIKENESS
from phq.decisions.rows import UNGROUPED, Fields, conclude
from phq.reasons import RULES
from phq.schema import BOX, DECISION

SCORES = (*BOX, *(rule.score for rule in RULES if rule.score != "box_px"))
NEEDED = tuple(dict.fromkeys(["key", *LIKENESS, *SCORES, *DECISION]))
"""Columns that a decision is taken on, and those that it sets."""
_BY_SCORE = {rule.reason for rule in RULES} | {"duplicate", "exact_duplicate", "same_scene"}
_BY_STAGE = {"keypoints": {"no_landmarks", "no_person", "internal_error"}, "pose": {"degenerate_pose"}}


def revisable(groups: Sequence[str]) -> frozenset[str]:
    """Reasons that may fall away: those of scores and duplicates, and those of the stages that have run again.

    A reason that phq does not know, such as a reviewer's, stands.
    """
    return frozenset(_BY_SCORE.union(*(_BY_STAGE.get(group, set()) for group in groups)))


def decide_again(
    table: pa.Table,
    asked_for: Collection[str],
    thrown_out: Mapping[str, tuple[str, str]],
    may_fall: frozenset[str],
    config: Config,
) -> dict[str, Fields]:
    """The columns `DECISION` of every sample by key.

    Args:
        table: `NEEDED`, as the samples now stand.
        asked_for: keys of the samples to decide on; another that is rejected stays so, and nothing repeats it.
        thrown_out: reason and detail of samples that a stage has thrown out just now.
        may_fall: see `revisable`; another reason for which a sample was rejected before stands.
        config: thresholds, and what counts as a duplicate.
    """
    rows = [row for row in table.to_pylist() if row["key"] not in thrown_out]
    open_again = [
        row | {"reason": "", "detail": ""} if row["reason"] in may_fall and row["key"] in asked_for else row
        for row in rows
    ]
    concluded = (row for part in conclude(open_again, config) for row in part)
    decided = {row["key"]: {name: row[name] for name in DECISION} for row in concluded}
    return decided | {key: thrown_out_row(*why) for key, why in thrown_out.items()}


def thrown_out_row(reason: str, detail: str) -> Fields:
    """`DECISION` of a sample that a stage has thrown out."""
    no_score = {"score_name": "", "threshold": 0.0, "margin": 0.0, **UNGROUPED}
    return {"decision": "rejected", "reason": reason, "detail": detail, **no_score}
