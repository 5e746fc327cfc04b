"""The counts of ``run.json`` that follow from a dataset's tables.

A build that stores its rejects decides by an overlay, which `REVISION` names: its counts are those after that overlay.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from phq.dataset.columns import Columns
from phq.dataset.overlays import names_up_to, stack_names
from phq.dataset.root import Root

REVISION = "revision"
"""Key of the counts: the overlay after which samples are counted as kept or rejected; absent for none."""


def stored_rejects(root: Root, run: Mapping[str, Any]) -> Counter[str]:
    """Stored samples that the overlays up to the counted revision reject, by reason.

    Args:
        root: of the dataset.
        run: content of ``run.json``.

    Raises:
        InputError: an overlay cannot be read.
    """
    counts = run.get("counts")
    revision = counts.get(REVISION) if isinstance(counts, dict) else None
    if revision not in stack_names(run):
        return Counter()
    table = Columns(root, names_up_to(run, revision), rejects=False).table(["decision", "reason"])
    return Counter(table["reason"].filter(pc.not_equal(table["decision"], "kept")).to_pylist())


def true_counts(
    counts: Mapping[str, Any], manifest: pa.Table, rejects: pa.Table, stored: Counter[str]
) -> dict[str, Any]:
    """Those counts that follow from the tables, as they should be.

    Args:
        counts: as stated; others are not returned.
        manifest: any columns.
        rejects: ``reason`` and ``person_index``.
        stored: see `stored_rejects`.
    """
    reasons = Counter(rejects["reason"].to_pylist()) + stored
    right: dict[str, Any] = {
        "kept": len(manifest) - stored.total(),
        "people": len(manifest) + len(rejects) - rejects["person_index"].null_count,
        "rejected": dict(sorted(reasons.items())) if isinstance(counts.get("rejected"), dict) else reasons.total(),
    }
    return {name: value for name, value in right.items() if name in counts}
