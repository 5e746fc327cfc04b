"""Names under which programs write the same thing."""

from __future__ import annotations

NAMES: dict[str, tuple[str, ...]] = {
    "key": ("key",),
    "sha256": ("sha256", "source_sha256"),
    "photo": ("photo", "source_path", "path", "img_path", "image_path", "imgname", "image", "file", "filename"),
    "box": ("box", "bbox", "box_xyxy", "bbox_xyxy", "boxes", "bboxes"),
    "box_xywh": ("box_xywh", "bbox_xywh"),
    "box_center": ("box_center", "center", "bbox_center"),
    "box_size": ("box_size", "bbox_size"),
    "image_size": ("image_size", "img_size"),
    "focal_px": ("focal_px", "focal_length", "scaled_focal_length", "focal"),
    "sigma_deg": ("sigma_deg",),
    "yaw": ("yaw", "head_yaw_deg", "yaw_deg", "pose_Ry"),
    "pitch": ("pitch", "head_pitch_deg", "pitch_deg", "pose_Rx"),
    "roll": ("roll", "head_roll_deg", "roll_deg", "pose_Rz"),
    "rotation": ("rotation", "R", "R_pred", "rotmat", "rotation_matrix", "head_rotation"),
    "neck": ("neck",),
    "root": ("global_orient", "pred_global_orient", "root_orient", "smplx_root_pose", "root_pose"),
    "body_pose": ("body_pose", "pred_body_pose", "pose_body", "smplx_body_pose"),
    "pose": ("pose", "smpl_pose", "thetas", "full_pose", "rotvec"),
    "betas": ("betas", "pred_betas", "shape", "smplx_shape", "smpl_betas"),
    "keypoints": ("keypoints", "keypoints_2d", "coco_keypoints", "pred_keypoints_2d", "kp2d", "j2d"),
    "world2cam": ("world2cam", "R_world2cam", "w2c", "cam_R"),
    "cam2world": ("cam2world", "R_cam2world", "c2w"),
}
"""By phq's name, the names of a column of FILE; the first of them that is there counts."""
TEXT = ("key", "sha256", "photo")


def renamed(row: dict[str, object]) -> dict[str, object]:
    """The columns that are known, under phq's names."""
    found = {
        name: next((row[a] for a in (name, *aliases) if row.get(a) is not None), None)
        for name, aliases in NAMES.items()
    }
    return {name: value for name, value in found.items() if value is not None}
