"""The camera of a new fit, stated for the picture as it is stored."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from phq.align.crop import crop_box
from phq.camera.convention import CONVENTION, WINDOW_CONVENTION, intrinsics, world2cam
from phq.curate.annotate.views import StoredPerson
from phq.people.person import known
from phq.photos.region import apply_affine
from phq.pose import template
from phq.system.arrays import Floats

SAME_WINDOW = 1e-6
"""Intrinsics this near to the convention's own are the convention's own."""


def stored_intrinsics(person: StoredPerson) -> Floats:
    """3×3, normalised: K of the camera of ``person.fit`` for the stored picture.

    That camera would have cut another square: inverse of where the stored picture lies in the photo · where its own
    would lie · K.
    """
    frame = known(person.frame)
    stored = _square(frame.crop_to_source) @ np.diag([frame.image_size, frame.image_size, 1.0])
    own = _square(crop_box(known(person.fit), known(person.camera).cam2world).to_source(1))
    return np.asarray(np.linalg.solve(stored, own @ intrinsics()))


def _square(affine: Floats) -> Floats:
    return np.vstack([affine, [0, 0, 1]])


def state_camera(person: StoredPerson) -> None:
    """Set intrinsics, convention and ``head_px``; a camera that does not see the stored picture is a degenerate fit."""
    K, own = stored_intrinsics(person), intrinsics()
    same = bool(np.abs(K - own).max() < SAME_WINDOW)
    person.camera = replace(
        known(person.camera),
        intrinsics=own if same else K,
        camera_convention=CONVENTION if same else WINDOW_CONVENTION,
    )
    person.frame = replace(known(person.frame), head_px=template.head_height(known(person.fit).px_per_metre))
    corners = apply_affine(to_own_picture(K, 1), np.array([[0.0, 0.0], [1.0, 1.0]]))
    if (corners[1] <= 0).any() or (corners[0] >= 1).any():
        person.reject("degenerate_pose", "the fitted headshot lies outside the stored picture")


def to_own_picture(K: Floats, size: int) -> Floats:
    """2×3 affine from pixels of the stored picture (size × size, intrinsics K) to those of the picture of that size
    that its camera would have cut."""
    own = intrinsics()
    scale = own[0, 0] / K[0, 0]
    return np.column_stack([np.eye(2) * scale, (own[:2, 2] - scale * K[:2, 2]) * size])


def neck_in_picture(cam2world: Floats, intrinsics: Floats) -> Floats:
    """(2,) the world's origin in the stored picture, fraction of its side."""
    u, v, w = intrinsics @ world2cam(cam2world)[:3, 3]
    return np.array([u / w, v / w])
