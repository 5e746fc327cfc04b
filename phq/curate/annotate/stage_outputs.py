"""What stages pass on to each other, read back from a record, for a stage that runs without those before it."""

from __future__ import annotations

import numpy as np

from phq.camera.convention import RADIUS, unit
from phq.camera.rotations import rotvec_to_rotmat
from phq.curate.annotate.views import StoredPerson
from phq.curate.annotate.window import neck_in_picture
from phq.people.person import Face, TorsoFit, known
from phq.photos.region import apply_affine
from phq.pose.body import load_body
from phq.schema import SMPL_JOINTS
from phq.system.arrays import Floats


def torso_from_camera(cam2world: Floats) -> Floats:
    """3×3 torso to camera axes whose `phq.camera.convention.camera_from_torso` is this camera (4×4).

    The camera stands against the line of sight, so that axis is known; its x axis is at right angles to the photo's
    up, so up is what is at right angles to both.
    """
    away = unit(-cam2world[:3, 3])
    down = unit(np.cross(away, cam2world[:3, 0]))
    return np.stack([np.cross(down, away), down, away])


def restored_fit(person: StoredPerson) -> TorsoFit:
    """The fit that the record was made of."""
    row, camera, body = person.row, known(person.camera), known(person.body)
    torso = torso_from_camera(camera.cam2world)
    joints = {name: body.smpl_pose[i] for i, name in enumerate(SMPL_JOINTS) if name != "pelvis"}
    neck, head = rotvec_to_rotmat(np.stack([joints["neck"], joints["head"]]))
    place = neck_in_picture(camera.cam2world, camera.intrinsics) * row["image_size"]
    neck_px = apply_affine(known(person.frame).crop_to_source, place)
    scale = row["crop_side_px"] * camera.intrinsics[0, 0] / RADIUS
    of_another = body.body_model not in ("", load_body().name)  # whose numbers mean other things
    betas = np.zeros(10) if of_another else np.asarray(body.smpl_betas, float)
    return TorsoFit(torso, torso @ neck @ head, neck_px, float(scale), row["reprojection_error"], joints, betas)


def restored_face(person: StoredPerson) -> Face | None:
    """The face that the record has, photo pixels; None where none was found at the head."""
    stored = known(person.head_face)
    if not stored.face_found:
        return None
    in_crop = Face(stored.face_score, stored.face_box, stored.face_points)
    return in_crop.moved(known(person.frame).crop_to_source)
