"""Fit ``phq/quality/niqe_table.json``: what the fine statistics of good photographs are.

    python tools/fit_naturalness.py PHOTO_FOLDER…

Takes every picture below the folders at a half and a third of its size, where neither the camera's noise nor the
compression of the file is left, and there the patches whose contrast is in the upper part. Made with examples/photos
and the photographs that scikit-image 0.26.0 bundles (astronaut, camera, chelsea, coffee, rocket, motorcycle_left).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from phq.quality.naturalness import PATCH, patch_features

TABLE = Path(__file__).parents[1] / "phq" / "quality" / "niqe_table.json"
PHOTOGRAPHS = {".jpg", ".jpeg", ".png"}
NO_PHOTOGRAPHS = {"brick", "cell", "chessboard_GRAY", "chessboard_RGB", "clock_motion", "coins", "color", "grass",
                  "gravel", "horse", "hubble_deep_field", "ihc", "logo", "microaneurysms", "moon", "page", "phantom",
                  "retina", "text"}  # fmt: skip
SMALLEST = 240
MOST = 250
"""Patches that one picture at one size gives at most, so that a large one does not outvote the others."""
SHARPEST = 0.6
"""Part of the patches that is taken: those of the highest contrast."""


def pictures(folders: list[Path]) -> Iterator[np.ndarray]:
    """Grey pictures, reduced."""
    for path in sorted(path for folder in folders for path in folder.rglob("*")):
        if path.suffix.lower() not in PHOTOGRAPHS or path.stem in NO_PHOTOGRAPHS:
            continue
        image = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        for factor in (2, 3):
            if image is not None and min(image.shape) >= factor * SMALLEST:
                size = image.shape[1] // factor, image.shape[0] // factor
                yield cv2.resize(image, size, interpolation=cv2.INTER_AREA).astype(np.float32)


def features_of(image: np.ndarray) -> np.ndarray:
    """(N, 36) features of the patches that are not flat."""
    rows, columns = (n // PATCH for n in image.shape)
    patches = image[: rows * PATCH, : columns * PATCH].reshape(rows, PATCH, columns, PATCH)
    contrast = patches.std((1, 3)).ravel()
    best = np.flatnonzero(contrast >= np.quantile(contrast, 1 - SHARPEST))
    chosen = np.zeros(rows * columns, bool)
    chosen[best[:: max(1, len(best) // MOST)]] = True
    return patch_features(image, chosen.reshape(rows, columns))


def main(folders: list[Path]) -> None:
    """Write the table."""
    features = np.concatenate([features_of(image) for image in pictures(folders)])
    table = {
        "made_by": f"tools/fit_naturalness.py, {len(features)} patches",
        "mean": features.mean(0).round(6).tolist(),
        "covariance": np.cov(features.T).round(8).tolist(),
    }
    TABLE.write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")
    print(table["made_by"])


if __name__ == "__main__":
    main([Path(name) for name in sys.argv[1:]])
