"""Fit the label's uncertainty: ``phq/quality/flip_table.json`` and ``phq/quality/sigma_table.json``.

    phq build TRUTH_DIR OUT --preset everything
    python tools/calibrate_uncertainty.py OUT TRUTH_DIR

A logistic regression for the probability that front and back are confused, and a log-linear standard deviation of the
torso's yaw for those who are not, both on evidence that the record stores. The tables that ship were fitted on 758
renders that are used for no reported error.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import minimize

from phq.evaluate.pose import FLIP_DEG, person_errors
from phq.evaluate.truth import matched
from phq.finalise import read_rows
from phq.quality import flip, sigma

RIDGE = 0.02
QUALITY = Path(flip.__file__).parent


def fit_flip(features: np.ndarray, flipped: np.ndarray) -> np.ndarray:
    """Weights of the logistic model; evidence can only speak for a flip, so all but the bias are ≥ 0."""

    def loss(weights: np.ndarray) -> float:
        logits = features @ weights
        return float(np.mean(np.logaddexp(0, logits) - flipped * logits) + RIDGE / len(flipped) * weights @ weights)

    bounds = [(None, None)] + [(0, None)] * (features.shape[1] - 1)
    return np.asarray(minimize(loss, np.zeros(features.shape[1]), bounds=bounds).x)


def fit_sigma(features: np.ndarray, errors: np.ndarray) -> np.ndarray:
    """Weights of log σ by maximum likelihood of Laplace errors, then shifted so that σ covers 68.3 % of them."""

    def loss(weights: np.ndarray) -> float:
        log_scale = features @ weights
        return float(np.mean(log_scale + errors * np.exp(-log_scale)) + RIDGE / len(errors) * weights @ weights)

    start = np.zeros(features.shape[1])
    start[0] = np.log(np.median(errors))
    weights = np.asarray(minimize(loss, start).x)
    weights[0] += np.log(np.quantile(errors / np.exp(features @ weights), 0.683))
    return weights


def write(module: Any, name: str, weights: np.ndarray, how: str) -> None:
    """One table."""
    table = {
        "made_by": f"tools/calibrate_uncertainty.py, {how}",
        "weights": {key: round(float(w), 4) for key, w in zip(module.FEATURES, weights, strict=True)},
    }
    (QUALITY / name).write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")
    print(table)


def main(dataset: Path, truth: Path) -> None:
    """Fit and write both; the second uses the first."""
    rows = read_rows([dataset / "manifest.parquet", dataset / "rejects.parquet"])
    pairs = [(t, row) for t, row in matched(rows, truth) if row is not None and "p_flip" in row]
    errors = np.abs([person_errors(t, row)["torso_yaw"] for t, row in pairs])
    features, flipped = np.stack([flip.flip_features(row) for _, row in pairs]), errors > FLIP_DEG
    weights = fit_flip(features, flipped)
    p = 1 / (1 + np.exp(-features @ weights))
    rank = float(np.mean(p[flipped][:, None] > p[~flipped][None])) if flipped.any() else 1.0
    write(flip, "flip_table.json", weights, f"{len(p)} rendered people, {int(flipped.sum())} flips, AUC {rank:.3f}")
    facing = np.flatnonzero(~flipped)
    stored = [pairs[i][1] | {"p_flip": float(p[i])} for i in facing]
    features = np.stack([sigma.sigma_features(row) for row in stored])
    write(sigma, "sigma_table.json", fit_sigma(features, errors[facing]), f"{len(facing)} rendered people")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
