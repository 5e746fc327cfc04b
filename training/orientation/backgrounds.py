"""Environment maps to ordinary pictures, as backgrounds for training: python backgrounds.py FOLDER-OF-EXR OUT."""

from __future__ import annotations

import os
import sys
from pathlib import Path

os.environ["OPENCV_IO_ENABLE_OPENEXR"] = "1"

import cv2
import numpy as np

WIDTH = 1280


def developed(light: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8 of linear light, the middle brightness at a third."""
    light = np.nan_to_num(np.clip(light[..., :3], 0, 60))
    exposed = light * (0.35 / max(float(np.median(light)), 1e-3))
    return np.asarray(255 * np.clip(exposed / (1 + 0.6 * exposed), 0, 1) ** (1 / 2.2), np.uint8)


def main(folder: Path, out: Path) -> None:
    """Every map."""
    out.mkdir(parents=True, exist_ok=True)
    for path in sorted(folder.glob("*.exr")):
        light = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        small = cv2.resize(light, (WIDTH, WIDTH // 2), interpolation=cv2.INTER_AREA)
        cv2.imwrite(str(out / f"{path.stem}.jpg"), developed(small), [cv2.IMWRITE_JPEG_QUALITY, 92])


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
