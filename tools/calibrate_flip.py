"""Fit ``phq/quality/flip_table.json``: the probability that front and back are confused.

    phq build TRUTH_DIR OUT --preset everything
    python tools/calibrate_flip.py OUT TRUTH_DIR

Logistic regression with a small ridge on the evidence of `phq.quality.flip.flip_features`; prints how well it ranks.
The table that ships was fitted on 758 renders that are used for no reported error.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import minimize

from phq.camera.angles import wrap_deg
from phq.evaluate.truth import matched
from phq.finalise import read_rows
from phq.quality.flip import FEATURES, flip_features

RIDGE = 0.02


def fit(features: np.ndarray, flipped: np.ndarray) -> np.ndarray:
    """Weights of the logistic model; evidence can only speak for a flip, so all but the bias are ≥ 0."""

    def loss(weights: np.ndarray) -> float:
        logits = features @ weights
        return float(np.mean(np.logaddexp(0, logits) - flipped * logits) + RIDGE / len(flipped) * weights @ weights)

    bounds = [(None, None)] + [(0, None)] * (len(FEATURES) - 1)
    return np.asarray(minimize(loss, np.zeros(len(FEATURES)), bounds=bounds).x)


def evidence(rows: list[dict[str, Any]], truth: Path) -> tuple[np.ndarray, np.ndarray]:
    """Features (N, 7) and whether the torso's yaw is off by more than 90° (N,)."""
    pairs = [(t, row) for t, row in matched(rows, truth) if row is not None and "p_flip" in row]
    errors = [wrap_deg(row["camera_yaw_deg"] - t.angles("torso")[0]) for t, row in pairs]
    return np.stack([flip_features(row) for _, row in pairs]), np.abs(errors) > 90


def main(dataset: Path, truth: Path) -> None:
    """Fit and write."""
    rows = read_rows([dataset / "manifest.parquet", dataset / "rejects.parquet"])
    features, flipped = evidence(rows, truth)
    weights = fit(features, flipped)
    p = 1 / (1 + np.exp(-features @ weights))
    rank = float(np.mean(p[flipped][:, None] > p[~flipped][None]))
    table = {
        "made_by": f"tools/calibrate_flip.py, {len(p)} rendered people, {int(flipped.sum())} flips, AUC {rank:.3f}",
        "weights": {name: round(float(w), 4) for name, w in zip(FEATURES, weights, strict=True)},
    }
    target = Path(__file__).parents[1] / "phq" / "quality" / "flip_table.json"
    target.write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")
    print(table)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
