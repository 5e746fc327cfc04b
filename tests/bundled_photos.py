"""The bundled photographs, and what a person says who looks at them."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

FOLDER = Path(__file__).parents[1] / "examples" / "photos"
FRONT, LEFT, BACK, RIGHT = 0.0, 90.0, 180.0, -90.0

PEOPLE = {
    "scikit-image-0.26.0__astronaut.png": FRONT,
    "scikit-image-0.26.0__camera.png": RIGHT,
    "face_recognition-1.3.0__biden.jpg": FRONT,
    "face_recognition-1.3.0__obama.jpg": FRONT,
    "face_recognition-1.3.0__obama2.jpg": FRONT,
    "face_recognition-1.3.0__obama_partial_face.jpg": FRONT,
    "pose2sim-0.10.49__Single_cam1_f000.jpg": FRONT,
    "pose2sim-0.10.49__Single_cam2_f000.jpg": FRONT,
    "pose2sim-0.10.49__Single_cam2_f090.jpg": FRONT,
    "pose2sim-0.10.49__Single_cam3_f000.jpg": BACK,
    "pose2sim-0.10.49__Single_cam3_f060.jpg": BACK,
    "pose2sim-0.10.49__Single_cam4_f000.jpg": BACK,
    "pose2sim-0.10.49__Single_cam4_f030.jpg": BACK,
    "sports2d-0.8.34__demo_f130.jpg": LEFT,
}
"""Which side of the torso of somebody in the photo the camera sees: + is the subject's left, who faces image left."""


def pixels(name: str) -> np.ndarray:
    """H × W × 3 RGB of a bundled photograph (none of them needs EXIF rotation)."""
    return np.ascontiguousarray(cv2.imread(str(FOLDER / name))[..., ::-1])


def copied(names: Sequence[str], folder: Path) -> Path:
    """A folder, made if need be, with the photographs whose names end so."""
    folder.mkdir(exist_ok=True)
    for name in names:
        (source,) = FOLDER.glob(f"*{name}.*")
        shutil.copyfile(source, folder / source.name)
    return folder
