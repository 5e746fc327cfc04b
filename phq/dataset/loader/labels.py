"""Labels of a batch: camera and poses with the overlays applied, mirrored where the picture is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from phq.camera.convention import mirror_camera
from phq.camera.rotations import mirror_pose, mirror_rotvec
from phq.dataset.reader import Dataset
from phq.system.arrays import Floats, Singles


def mirror_intrinsics(intrinsics: Floats) -> Floats:
    """Intrinsics (…, 3, 3), normalised by the image side, of the horizontally mirrored image.

    F K M with F: x → 1 − x in the image and M = diag(−1, 1, 1): the principal point changes sides and the skew its
    sign. phq's own principal point is the middle and stays.
    """
    flip = np.array([[-1.0, 0.0, 1.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    return np.asarray(flip @ intrinsics @ np.diag([-1.0, 1.0, 1.0]))


def _mirror_camera_label(camera: Floats) -> Floats:
    cam2world = mirror_camera(camera[:, :16].reshape(-1, 4, 4))
    intrinsics = mirror_intrinsics(camera[:, 16:].reshape(-1, 3, 3))
    return np.concatenate([cam2world.reshape(-1, 16), intrinsics.reshape(-1, 9)], axis=1)


def _mirror_neck_and_head(pose: Floats) -> Floats:
    return mirror_rotvec(pose.reshape(-1, 2, 3)).reshape(-1, 6)


LABELS: dict[str, tuple[tuple[str, ...], Callable[[Floats], Floats]]] = {
    "camera": (("cam2world", "intrinsics"), _mirror_camera_label),
    "pose": (("neck_head_pose",), _mirror_neck_and_head),
    "smpl_pose": (("smpl_pose",), mirror_pose),
}
"""Label → the columns that it consists of, and the function that mirrors it."""


class Labels:
    """Labels of all samples, in memory: 124 bytes per sample for camera and pose.

    Args:
        dataset: of N samples.
        names: of `LABELS`.
    """

    def __init__(self, dataset: Dataset, names: tuple[str, ...]) -> None:
        self._arrays = {name: np.hstack([_array(dataset, column) for column in LABELS[name][0]]) for name in names}

    def batch(self, index: NDArray[np.int64], mirrored: NDArray[np.bool_]) -> dict[str, Singles]:
        """(B, numbers) float32 of each label.

        Args:
            index: (B,) numbers of the samples.
            mirrored: (B,) whether each is mirrored.
        """
        batch = {}
        for name, array in self._arrays.items():
            labels = array[index]
            labels[mirrored] = LABELS[name][1](labels[mirrored])
            batch[name] = labels
        return batch


def _array(dataset: Dataset, column: str) -> Singles:
    values: Any = dataset.columns([column])[column].combine_chunks()
    numbers = values.flatten().cast(pa.float32()).to_numpy()
    return np.asarray(numbers, np.float32).reshape(len(dataset), -1)
