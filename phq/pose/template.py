"""SMPL's neutral rest pose, neck at the origin: what the camera and the crop of 360°PHQ labels are built on.

Source: template of the data pipeline of 360°PHQ / 3DPortraitGAN (neutral SMPL, zero pose and shape, translated so
that joint 12, the neck, is the origin). Metres; y up, the subject faces +z, +x is the subject's left. The numbers
are here, and not in the body mesh, so that labels stay compatible whatever body is used for fitting.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

NECK = (0.0, 0.0, 0.0)
HEAD = (0.0051, 0.0650, 0.0513)
NOSE = (0.0013, 0.1333, 0.1538)
LEFT_SHOULDER = (0.1726, -0.0616, -0.0001)
RIGHT_SHOULDER = (-0.1750, -0.0625, -0.0049)
LEFT_EAR = (0.0757, 0.1357, 0.0200)
RIGHT_EAR = (-0.0761, 0.1364, 0.0198)
HEAD_TOP = (0.0, 0.2679, 0.0211)
PELVIS = (-0.0016, -0.5109, 0.0430)

POINTS: dict[str, tuple[float, float, float]] = {
    "neck": NECK,
    "head": HEAD,
    "nose": NOSE,
    "left_shoulder": LEFT_SHOULDER,
    "right_shoulder": RIGHT_SHOULDER,
    "left_ear": LEFT_EAR,
    "right_ear": RIGHT_EAR,
    "head_top": HEAD_TOP,
    "pelvis": PELVIS,
}
"""Every point of the table by name; joints are named as in `phq.schema.SMPL_JOINTS`."""

MIRRORED_POINTS = {name: name.replace("left", "\0").replace("right", "left").replace("\0", "right") for name in POINTS}
"""Name of each point's mirror image."""

TORSO = ("left_shoulder", "right_shoulder", "neck", "pelvis")
"""Points whose rotation is the torso's, in the order of the published camera derivation."""

BOUNDS = ((-0.872, -1.4495, -0.1076), (0.874, 0.2679, 0.1829))
"""Lowest and highest x, y, z of the template's mesh."""


def points(names: tuple[str, ...] = tuple(POINTS)) -> NDArray[np.float64]:
    """Template positions (N, 3) of the named points, by default all in the order of `POINTS`.

    Raises:
        KeyError: a name is not in the table.
    """
    return np.array([POINTS[name] for name in names], dtype=np.float64)


def symmetric_points(names: tuple[str, ...] = tuple(POINTS)) -> NDArray[np.float64]:
    """The same, averaged with the mirror image; the published template is up to 5 mm from symmetric (head joint)."""
    mirrored = points(tuple(MIRRORED_POINTS[name] for name in names)) * [-1.0, 1.0, 1.0]
    return np.asarray((points(names) + mirrored) / 2, dtype=np.float64)


def head_height(px_per_metre: float) -> float:
    """Height of the template's head (head joint to crown) at a scale, pixels."""
    return px_per_metre * (HEAD_TOP[1] - HEAD[1])
