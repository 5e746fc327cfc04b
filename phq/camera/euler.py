"""Head rotations from the Euler angles that other programs state."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from phq.camera.convention import BODY_TO_CV
from phq.camera.rotations import rotvec_to_rotmat
from phq.system.arrays import Doubles
from phq.system.linear import product

ORDERS = ("xyz", "xzy", "yxz", "yzx", "zxy", "zyx")


@dataclass(frozen=True)
class Euler:
    """A convention of Euler angles in the axes of an OpenCV camera (x right, y down, z forward)."""

    order: str
    """Axes of the product from left to right: "xyz" is Rx(pitch) Ry(yaw) Rz(roll)."""
    pitch: float
    """+1 if a positive pitch turns about +x by the right-hand rule, which lowers the face; −1 if it raises it."""
    yaw: float
    """+1 if a positive yaw turns the nose of a face to image left; −1 if to image right."""
    roll: float
    """+1 if a positive roll tilts the crown of a face to image right, its own left; −1 if to image left."""

    def rotation(self, pitch: ArrayLike, yaw: ArrayLike, roll: ArrayLike) -> Doubles:
        """(…, 3, 3) from head axes (left, up, front) to camera axes.

        Args:
            pitch: (…) radians, as yaw and roll.
            yaw: (…).
            roll: (…).
        """
        given = {
            "x": self.pitch * np.asarray(pitch),
            "y": self.yaw * np.asarray(yaw),
            "z": self.roll * np.asarray(roll),
        }
        turns = [rotvec_to_rotmat(given[axis][..., None] * np.eye(3)["xyz".index(axis)]) for axis in self.order]
        return np.asarray(product(*turns, BODY_TO_CV))


LP300W = Euler("xyz", -1.0, 1.0, 1.0)
"""Of the set 300W-LP (Zhu et al. 2016), and of the networks that learned from it: Hopenet, WHENet, 6DRepNet."""
