"""What the fused orientation says of flips, made to hold on real people that neither network nor gates have seen.

    python calibrate.py ORIENTATION.onnx --people PHOTOS.npz ... [--renders RENDERS.npz ...]

Writes ``flip`` of ``phq/pose/orient/fusion_table.json``: weights of a logistic regression of "off by more than
90°" on the log-odds of the fused mass beyond 90° and on the novelty, drawn towards "believe the mass" where
flips are few.
People: the half of the held-back photos that the gates did not see, cut. Prints a table of stated against found. Then
``flip_table.json`` of `phq.quality`, by the fits of ``tools/calibrate_uncertainty.py``, but of the
fused orientation, which the fitted body follows where the photo cuts a person. Pseudo-labels are too coarse for sigma.
"""

from __future__ import annotations

import argparse
import json
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np

sys.path.append(str(Path(__file__).parents[2] / "tools"))
import calibrate_uncertainty as tool
from evaluate import outputs, true_yaw, wrap
from fusion import calibrates, held_back_of
from scipy.optimize import minimize

from phq.detect.centerface import FACE_FOUND
from phq.pose.orient import fuse
from phq.quality import flip

PRIOR = np.array([0.0, 1.0, 0.0])
STRENGTH = np.array([0.5, 2.0, 0.5])
"""How strongly the weights are drawn towards `PRIOR`."""
LEAST_TRUST = 0.5
"""Of a sign, beside an orientation that saw it too: a label may be turned later, and then it is the only witness."""
BINS = (0, 0.003, 0.01, 0.03, 0.1, 0.3, 1.01)


def fitted(mass: np.ndarray, novelty: np.ndarray, flipped: np.ndarray) -> np.ndarray:
    """(3,) bias, slope (at least 0), weight of novelty (at least 0)."""
    odds = np.log(np.clip(mass, fuse.FLOOR, 1 - fuse.FLOOR) / (1 - np.clip(mass, fuse.FLOOR, 1 - fuse.FLOOR)))
    features = np.stack([np.ones(len(mass)), odds, novelty], 1)

    def loss(weights: np.ndarray) -> float:
        logits = features @ weights
        return float((np.logaddexp(0, logits) - flipped * logits).sum() + (STRENGTH * (weights - PRIOR) ** 2).sum())

    return np.asarray(minimize(loss, PRIOR, bounds=[(None, None), (0.1, None), (0, None)]).x)


def reliability(stated: np.ndarray, flipped: np.ndarray) -> None:
    """Stated against found, by bins."""
    for low, high in pairwise(BINS):
        here = (stated >= low) & (stated < high)
        if here.any():
            said, found = stated[here].mean(), flipped[here].mean()
            print(f"  {low:5.3f} to {min(high, 1):5.3f}: n {here.sum():4d} stated {said:.4f} found {found:.4f}")


def fitted_trust(prior: np.ndarray, ratios: np.ndarray, flipped: np.ndarray) -> np.ndarray:
    """(2,) powers, `LEAST_TRUST` to 1, of the likelihood ratios (2, N) of face and order beside the prior (N,)."""
    prior = np.clip(prior, flip.SMALLEST, 1 - flip.SMALLEST)
    odds, logs = np.log(prior / (1 - prior)), np.log(ratios)

    def loss(powers: np.ndarray) -> float:
        total = odds + powers @ logs
        return float((np.logaddexp(0, total) - flipped * total).sum() + ((powers - 0.5) ** 2).sum())

    return np.asarray(minimize(loss, np.full(2, 0.5), bounds=[(LEAST_TRUST, 1)] * 2).x)


def flip_table(fused: np.ndarray, true: np.ndarray, faces: np.ndarray, head_known: np.ndarray) -> None:
    """Writes the table of `phq.quality.flip` for real people: (N, 2, 7) answers, (N, 2) true yaws, (N, 2) signs."""
    found, known = faces[:, 0] > FACE_FOUND, np.isfinite(faces[:, 1])
    front, flipped = faces[:, 1] > 0.5, np.abs(wrap(fused[:, 0, 0] - true[:, 0])) > 90
    table = {
        "made_by": f"training/orientation/calibrate.py, {len(fused)} real people",
        "face": tool.fit_rate(true[head_known, 1].tolist(), found[head_known].tolist()),
        "order": tool.fit_rate(true[known, 0].tolist(), front[known].tolist()),
    }
    tool.write("flip_table.json", table | {"trust": {"face": 1.0, "order": 1.0}})
    flip.rates.cache_clear()
    face = flip.likelihood_ratio("face", fused[:, 1, 0], found)
    order = np.where(known, flip.likelihood_ratio("order", fused[:, 0, 0], front), 1.0)
    powers = fitted_trust(fused[:, 0, 6], np.stack([face, order]), flipped.astype(float))
    tool.write(
        "flip_table.json", table | {"trust": dict(zip(("face", "order"), np.round(powers, 4).tolist(), strict=True))}
    )


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("network", type=Path)
    parser.add_argument("--people", type=Path, nargs="+", required=True)
    parser.add_argument("--renders", type=Path, nargs="*", default=[])
    options = parser.parse_args()
    place = Path(fuse.__file__).with_name("fusion_table.json")
    table = json.loads(place.read_text(encoding="utf-8")) | {"flip": [PRIOR.tolist()] * 2}
    place.write_text(json.dumps(table) + "\n", encoding="utf-8")
    files = [held_back_of(path, calibrates) for path in options.people] + [held_back_of(p) for p in options.renders]
    raw = np.concatenate([outputs(options.network, data) for data in files])
    evidence, rotations, sigma_of = (
        np.concatenate([f[k] for f in files]) for k in ("evidence", "rotations", "label_sigma")
    )
    fused = np.array([fuse.fuse(r, e) for r, e in zip(raw, evidence, strict=True)])
    novelty = 1 - np.array([fuse.familiarity(fuse.doubt_of(r), fuse.fusion_table()["doubt"]) for r in raw])
    off, weights = np.abs(wrap(fused[:, :, 0] - true_yaw(rotations))), []
    for part, name in enumerate(("torso", "head")):
        known = np.isfinite(sigma_of[:, part])
        flipped = (off[:, part] > 90).astype(float)
        weights.append(fitted(fused[known, part, 6], novelty[known], flipped[known]))
        odds = np.array([fuse.stated_flip(m, 1 - n, np.tile(weights[-1], (2, 1)))[0]
                         for m, n in zip(fused[known][:, [part, part], 6], novelty[known], strict=True)])  # fmt: skip
        print(name, weights[-1].round(3), f"{int(flipped[known].sum())} of {known.sum()} flipped")
        reliability(odds, flipped[known])
    table["flip"] = np.round(weights, 4).tolist()
    place.write_text(json.dumps(table) + "\n", encoding="utf-8")
    for row, new in zip(fused, novelty, strict=True):
        row[:, 6] = fuse.stated_flip(row[:, 6], 1 - new, np.array(weights))
    real = np.repeat(["face" in data for data in files], [len(data["names"]) for data in files])
    faces = np.concatenate([data["face"] for data in files if "face" in data])
    flip_table(fused[real], true_yaw(rotations)[real], faces, np.isfinite(sigma_of[real, 1]))


if __name__ == "__main__":
    main()
