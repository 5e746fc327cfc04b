"""A record as labels of FiftyOne: boxes and points relative to the picture they are drawn on."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from phq.dataset.card import YAW_SECTORS
from phq.pose.drawn import Bodies
from phq.pose.render import project
from phq.system.arrays import Floats

Document = dict[str, Any]


class View:
    """The picture that labels are drawn on: the stored crop of a row, or the photo it was cut from.

    Args:
        row: fields of `phq.schema.Row`. photo: on the photo.
    """

    def __init__(self, row: Mapping[str, Any], photo: bool) -> None:
        affine = row["crop_to_source"] or [1, 0, 0, 0, 1, 0]  # thrown out before there was a crop: nothing is in it
        crop_to_source = np.vstack([np.reshape(affine, (2, 3)), [0, 0, 1]])
        if photo:
            self._photo = np.diag([1 / row["image_width"], 1 / row["image_height"], 1.0])
            self._crop = self._photo @ crop_to_source
        else:
            self._crop = np.diag([1 / row["image_size"], 1 / row["image_size"], 1.0])
            self._photo = self._crop @ np.linalg.inv(crop_to_source)

    def from_photo(self, points: Any) -> Floats:
        """(n, 2) photo pixels to fractions of the picture."""
        return _transformed(self._photo, points)

    def from_crop(self, points: Any) -> Floats:
        """(n, 2) crop pixels to fractions of the picture."""
        return _transformed(self._crop, points)


def _transformed(matrix: Floats, points: Any) -> Floats:
    flat = np.reshape(np.asarray(points, float), (-1, 2))
    return np.asarray(flat @ matrix[:2, :2].T + matrix[:2, 2])


def object_id(*what: str) -> Document:
    """An identifier of MongoDB, the same in every export."""
    return {"$oid": hashlib.sha256("/".join(what).encode()).hexdigest()[:24]}


def detections(*found: Document) -> Document:
    """The list of labels as FiftyOne stores it."""
    return {"_cls": "Detections", "detections": list(found)}


def keypoints(*found: Document) -> Document:
    """The list of labels as FiftyOne stores it."""
    return {"_cls": "Keypoints", "keypoints": list(found)}


def _label(kind: str, key: str, field: str, label: str, /, **values: Any) -> Document:
    return {"_id": object_id(key, field), "_cls": kind, "tags": [], "label": label, **values}


def _box(corners: Floats) -> list[float]:
    """x, y, width, height of the part of two opposite corners' box that is in the picture."""
    low, high = np.clip(corners.min(0), 0, 1), np.clip(corners.max(0), 0, 1)
    return _rounded([*low, *(high - low)])


def _rounded(values: Any) -> list[float]:
    return [round(float(value), 6) + 0.0 for value in values]


def _points(points: Floats) -> list[list[float]]:
    """Points; one that is not there is NaN, as FiftyOne has it."""
    return [_rounded(point) if np.isfinite(point).all() else [float("nan")] * 2 for point in points]


def person(row: Mapping[str, Any], view: View, /, **attributes: Any) -> Document:
    """The detected box, with the score of the detection."""
    box = _box(view.from_photo([row[f"box_{corner}"] for corner in ("x0", "y0", "x1", "y1")]))
    name = str(row.get("key") or f"{row['source_path']}#{row['person_index']}")
    label = "person" if row["decision"] == "kept" else str(row["reason"])
    confidence = row.get("detection_score")
    return _label("Detection", name, "people", label, bounding_box=box, confidence=confidence, **attributes)


def headshot(row: Mapping[str, Any], view: View, mask_path: str) -> Document:
    """The stored square in its photo, with the mask in a file."""
    corners = view.from_crop([0, 0, row["image_size"], row["image_size"]])
    box = _rounded([*corners[0], *(corners[1] - corners[0])])  # not cut off: the mask covers all of it
    return _label("Detection", row["key"], "headshots", "headshot", bounding_box=box, mask_path=mask_path)


def face(row: Mapping[str, Any], view: View) -> list[Document]:
    """The face that was found, none where none was."""
    if not row["face_found"]:
        return []
    box = _box(view.from_crop(row["face_box"]))
    return [_label("Detection", row["key"], "face", "face", bounding_box=box, confidence=row["face_score"])]


def landmarks(row: Mapping[str, Any], view: View) -> list[Document]:
    """33 landmarks with their visibility; nothing if no network has looked."""
    if not any(row["keypoints_visibility"]):
        return []
    points = _points(view.from_photo(row["keypoints_2d"]))
    confidence = _rounded(row["keypoints_visibility"])
    return [_label("Keypoint", row["key"], "landmarks", "person", points=points, confidence=confidence)]


def joints(row: Mapping[str, Any], view: View, bodies: Bodies) -> list[Document]:
    """24 joints of the fitted body, confidence 1 where one was seen, 0 where it is the prior; none without a body.

    Where the record is of a body whose file is not there, those of the embedded body under it.
    """
    if not row["body_model"] or (drawn := bodies.drawn(row)) is None:
        return []
    in_crop = project(drawn.joints, np.reshape(row["intrinsics"], (3, 3))) * row["image_size"]
    points, confidence = _points(view.from_crop(in_crop)), [float(seen) for seen in row["pose_observed"]]
    return [_label("Keypoint", row["key"], "joints", drawn.body.name, points=points, confidence=confidence)]


def direction(row: Mapping[str, Any]) -> Document:
    """What the camera sees, as a class to filter by."""
    label = YAW_SECTORS[int((row["camera_yaw_deg"] + 202.5) // 45) % 8][1]
    return _label("Classification", row["key"], "direction", label)


def segmentation(row: Mapping[str, Any], mask_path: str) -> Document:
    """The mask of the crop, in a file."""
    return {"_id": object_id(row["key"], "mask"), "_cls": "Segmentation", "tags": [], "mask_path": mask_path}
