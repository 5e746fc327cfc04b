"""Fit the label's uncertainty: ``phq/quality/flip_table.json`` and ``phq/quality/sigma_table.json``.

    phq build TRUTH_DIR OUT --preset everything
    python tools/calibrate_uncertainty.py OUT TRUTH_DIR [OUT TRUTH_DIR ...]

How often a face is found by the head's true yaw and how often MoveNet puts the shoulders in a front's order by the
torso's (logistic), and the standard deviation of the torso's yaw where front
and back are not confused (log-linear). Of a folder named ``set`` every third image (number divisible by 3) is left out:
that third is where the tables are judged. No image may be one that the orientation network was trained on.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import minimize

from phq.dataset.tables import read_rows
from phq.evaluate.pose import FLIP_DEG, person_errors
from phq.evaluate.truth import Truth, matched
from phq.quality import flip, sigma

RIDGE = 0.02
QUALITY = Path(flip.__file__).parent
Pair = tuple[Truth, dict[str, Any]]


def fit_rate(yaws: list[float], seen: list[bool]) -> dict[str, float]:
    """Bias and slope of the logistic rate of a sign by true yaw."""
    found = np.array(seen, float)
    features = np.stack([np.ones(len(found)), flip.away(yaws)], 1)

    def loss(weights: np.ndarray) -> float:
        logits = features @ weights
        return float(np.mean(np.logaddexp(0, logits) - found * logits) + RIDGE / len(found) * weights @ weights)

    bias, slope = minimize(loss, np.zeros(2)).x
    return {"bias": round(float(bias), 4), "slope": round(float(slope), 4)}


def fit_sigma(features: np.ndarray, errors: np.ndarray) -> np.ndarray:
    """Weights of log σ by maximum likelihood of Laplace errors, then shifted so that σ covers 68.3 % of them.

    More spread, doubt or disagreement can only mean a larger σ, so all but the bias are ≥ 0.
    """

    def loss(weights: np.ndarray) -> float:
        log_scale = features @ weights
        return float(np.mean(log_scale + errors * np.exp(-log_scale)) + RIDGE / len(errors) * weights @ weights)

    start = np.zeros(features.shape[1])
    start[0] = np.log(np.median(errors))
    bounds = [(None, None)] + [(0, None)] * (features.shape[1] - 1)
    weights = np.asarray(minimize(loss, start, bounds=bounds).x)
    weights[0] += np.log(np.quantile(errors / np.exp(features @ weights), 0.683))
    return weights


def pairs_of(dataset: Path, truth: Path) -> list[Pair]:
    """Annotated people of one folder, without the third that judges."""
    rows = read_rows([dataset / "manifest.parquet", dataset / "rejects.parquet"])
    held_back = truth.name == "set"
    found = [(t, row) for t, row in matched(rows, truth) if row is not None and "p_flip" in row]
    return [(t, row) for t, row in found if not (held_back and int(Path(t.image).stem) % 3 == 0)]


def write(name: str, table: dict[str, Any]) -> None:
    """One table."""
    (QUALITY / name).write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")
    print(table)


def main(folders: list[Path]) -> None:
    """Fit and write both."""
    pairs = [pair for i in range(0, len(folders), 2) for pair in pairs_of(folders[i], folders[i + 1])]
    made_by = f"tools/calibrate_uncertainty.py, {len(pairs)} rendered people"
    face = fit_rate([t.angles("head")[0] for t, _ in pairs], [row["face_found"] for _, row in pairs])
    front, known = flip.shoulder_order([row["coco_keypoints"] for _, row in pairs])
    torsos = np.array([t.angles("torso")[0] for t, _ in pairs])
    order = fit_rate(torsos[known].tolist(), front[known].tolist())
    write("flip_table.json", {"made_by": made_by, "face": face, "order": order})
    errors = np.abs([person_errors(t, row)["torso_yaw"] for t, row in pairs])
    facing = errors <= FLIP_DEG
    features = np.stack([sigma.sigma_features(row) for _, row in pairs])[facing]
    weights = fit_sigma(features, errors[facing])
    named = {key: round(float(w), 4) for key, w in zip(sigma.FEATURES, weights, strict=True)}
    write("sigma_table.json", {"made_by": f"{made_by}, {int((~facing).sum())} flipped left out", "weights": named})


if __name__ == "__main__":
    main([Path(word) for word in sys.argv[1:]])
