"""The camera of a new fit, stated for the picture as it is stored."""

from __future__ import annotations

import numpy as np

from phq.camera.convention import CONVENTION, WINDOW_CONVENTION, intrinsics, world2cam
from phq.curate.annotate.views import StoredPerson
from phq.photos.region import apply_affine
from phq.pose import template
from phq.stages.crop_headshot import crop_box
from phq.system.arrays import Floats

SAME_WINDOW = 1e-6
"""Intrinsics this near to the convention's own are the convention's own."""


def stored_intrinsics(person: StoredPerson) -> Floats:
    """3×3, normalised: K of the camera of ``person.fit`` for the stored picture.

    That camera would have cut another square: inverse of where the stored picture lies in the photo · where its own
    would lie · K.
    """
    assert person.fit is not None
    size = person.row["image_size"]
    stored = _square(person.fields["crop_to_source"]) @ np.diag([size, size, 1.0])
    own = _square(crop_box(person.fit, person.fields["cam2world"]).to_source(1))
    return np.asarray(np.linalg.solve(stored, own @ intrinsics()))


def _square(affine: Floats) -> Floats:
    return np.vstack([affine, [0, 0, 1]])


def state_camera(person: StoredPerson) -> None:
    """Set intrinsics, convention and ``head_px``; a camera that does not see the stored picture is a degenerate fit."""
    assert person.fit is not None
    K, own = stored_intrinsics(person), intrinsics()
    same = bool(np.abs(K - own).max() < SAME_WINDOW)
    head_px = person.fit.px_per_metre * (template.HEAD_TOP[1] - template.HEAD[1])
    person.fields |= {
        "intrinsics": own if same else K,
        "camera_convention": CONVENTION if same else WINDOW_CONVENTION,
        "head_px": head_px,
    }
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
