"""Cameras that look at a person, and how they are stated in a file."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from phq.camera.angles import camera_angles
from phq.camera.convention import CONVENTION, RADIUS, intrinsics, look_at, orbit
from phq.generator.config import Camera
from phq.schema import plain

NEAREST, FARTHEST = 1.5, 6.0
"""Metres from the neck that a camera may be: rays must begin before the person, and a far one fills no pixel."""
OWN_CAMERA = Camera()
"""That of phq's convention."""
STEEPEST = 85.0
"""Degrees of pitch: a level camera cannot look straight down."""


def camera_at(yaw_deg: float, pitch_deg: float = 0.0, radius: float | None = None, lens: Camera = OWN_CAMERA) -> Tensor:
    """Label (1, 25) of a level camera.

    Args:
        yaw_deg, pitch_deg: where it stands, degrees.
        radius: its distance from the neck, metres; that of `lens` if None.
        lens: the cameras that the model is for.
    """
    distance = lens.radius if radius is None else radius
    position = orbit(yaw_deg, pitch_deg)[:3, 3] * (distance / RADIUS)
    K = np.array([[lens.focal, 0, 0.5], [0, lens.focal, 0.5], [0, 0, 1]])
    return label(look_at(position, np.array([0.0, 1.0, 0.0]), np.array(lens.look_at)), K)


def label(cam2world: Any, K: Any) -> Tensor:
    """(1, 25) of cam2world (4, 4) and normalised intrinsics (3, 3)."""
    return torch.tensor(np.concatenate([np.ravel(cam2world), np.ravel(K)])[None], dtype=torch.float32)


def radius_of(camera: Tensor) -> float:
    """Metres of a camera (1, 25) from the neck."""
    return float(camera[0, [3, 7, 11]].norm())


def stated(camera: Tensor) -> dict[str, Any]:
    """A camera (1, 25) as in a sample's json: the fields of `phq.schema.Sample`, and its distance in metres."""
    from phq.camera.convention import WINDOW_CONVENTION  # reads photos too, which is much to load for a name

    numbers = camera[0].double().cpu().numpy()
    own = np.allclose(numbers[16:], intrinsics().ravel(), atol=1e-4)
    yaw, pitch, roll = camera_angles(numbers[:16].reshape(4, 4))
    fields = {"cam2world": numbers[:16], "intrinsics": numbers[16:], "camera_yaw_deg": yaw, "camera_pitch_deg": pitch,
              "camera_roll_deg": roll, "radius": radius_of(camera)}  # fmt: skip
    return {"camera_convention": CONVENTION if own else WINDOW_CONVENTION, **plain(fields)}
