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
from phq.decisions.numbered import key_numbers
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
    decisions = outcome.decisions
    staged = stage_build_decision(change, config)
    if staged is None:
        return {}, decisions.kept_yaws()
    name, decided = staged
    stored, ours = (key_numbers(table["key"]) for table in (decided.before, decisions.table(("key",))))
    by_key = np.argsort(stored, kind="stable")
    reasons = _reasons(decided.after).take(pa.array(by_key[np.searchsorted(stored[by_key], ours[decisions.order])]))
    rejected = Counter({r["values"]: r["counts"] for r in pc.value_counts(reasons).to_pylist()})
    kept = rejected.pop("", 0)
    counts = {"kept": kept, "rejected": dict(sorted((rejected + decisions.reasons()).items())), REVISION: name}
    _state_counts(change, counts)
    return counts, decisions.kept_yaws()[np.asarray(pc.equal(reasons, ""))]


def _reasons(after: pa.Table) -> pa.ChunkedArray:
    """'' for a sample that is kept."""
    return pc.if_else(pc.equal(after["decision"], "kept"), "", after["reason"])


def _state_counts(change: Change, counts: dict[str, Any]) -> None:
    run = json.loads((change.new / RUN).read_bytes())
    if run.get("extended"):
        run["extended"][-1]["counts"] |= counts
    run["counts"] |= counts
    manifest, rejects = (read_table(change.new / name) for name in (MANIFEST, REJECTS))
    stored = stored_rejects(Root(change.folder, change.new), run)
    run["counts"] |= true_counts(run["counts"], manifest, rejects, stored)
    change.write(RUN, json_bytes(run))
