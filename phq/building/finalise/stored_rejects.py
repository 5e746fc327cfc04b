"""The decision of a build that stores its rejects: an overlay, and counts, in one change with its tables."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from phq.building.finalise.dataset import Outcome
from phq.config.build import Config
from phq.dataset.counts import REVISION, stored_rejects, true_counts
from phq.dataset.folder import MANIFEST, REJECTS, RUN
from phq.dataset.root import Root
from phq.dataset.tables import read_table
from phq.decisions.overlay import stage_build_decision
from phq.system.arrays import Doubles
from phq.system.journal import Change
from phq.system.json_text import json_bytes


def decide_stored(change: Change, config: Config, outcome: Outcome) -> tuple[dict[str, Any], Doubles]:
    """Stage the overlay, and the counts after it in ``run.json``.

    Args:
        change: with the new tables and ``run.json``.
        config: of the build.
        outcome: the people of this build or extension.

    Returns:
        Their counts ``kept``, ``rejected`` and `phq.dataset.counts.REVISION`, none if nothing is stored; and the yaw
        (n,) of those kept, degrees.
    """
    people = outcome.decisions.kept
    staged = stage_build_decision(change, config)
    if staged is None:
        return {}, np.array(people["camera_yaw_deg"])
    name, decided = staged
    reasons = dict(zip(decided.before["key"].to_pylist(), _reasons(decided.after), strict=True))
    ours = [reasons[key] for key in people["key"].to_pylist()]
    rejected = Counter(reason for reason in ours if reason) + Counter(outcome.decisions.rejects["reason"].to_pylist())
    counts = {"kept": ours.count(""), "rejected": dict(sorted(rejected.items())), REVISION: name}
    _state_counts(change, counts)
    return counts, np.array(people["camera_yaw_deg"])[[not reason for reason in ours]]


def _reasons(after: pa.Table) -> list[str]:
    """'' for a sample that is kept."""
    kept = pc.equal(after["decision"], "kept")
    return list(pc.if_else(kept, "", after["reason"]).to_pylist())


def _state_counts(change: Change, counts: dict[str, Any]) -> None:
    run = json.loads((change.new / RUN).read_bytes())
    if run.get("extended"):
        run["extended"][-1]["counts"] |= counts
    run["counts"] |= counts
    manifest, rejects = (read_table(change.new / name) for name in (MANIFEST, REJECTS))
    stored = stored_rejects(Root(change.folder, change.new), run)
    run["counts"] |= true_counts(run["counts"], manifest, rejects, stored)
    change.write(RUN, json_bytes(run))
