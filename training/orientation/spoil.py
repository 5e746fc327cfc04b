"""Bad photos of rendered people: what BlazePose and the network meet when little is as it was in training."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from augment import Image, Rng, colour, hide_face, occlude, random_texture, redress, shaded

SMALLEST_HEAD = 12.0


def turned_photo(rng: Rng, pixels: Image, mask: Image) -> tuple[Image, Image, np.ndarray]:
    """Photo and mask turned about the middle, and the 2×3 affine that did it; every second one stays."""
    height, width = mask.shape
    turn = np.radians(rng.normal(0, 20)) if rng.random() < 0.5 else 0.0
    linear = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    middle = np.array([width / 2, height / 2]) - 0.5
    affine = np.column_stack([linear, middle - linear @ middle])
    both = cv2.warpAffine(np.dstack([pixels, mask]), affine, (width, height))
    return np.ascontiguousarray(both[..., :3]), np.ascontiguousarray(both[..., 3]), affine


def disguised(
    rng: Rng, picture: Image, mask: Image, neck: np.ndarray, crown: np.ndarray, textures: list[Image]
) -> Image:
    """Other clothes, another background, the face pixelated, something in the way, other light."""
    height, width = mask.shape
    head = max(float(np.linalg.norm(crown - neck)), SMALLEST_HEAD)
    soft = mask[..., None].astype(np.float32) / 255
    if rng.random() < 0.35:
        picture = redress(rng, picture, soft, float(neck[1]) / height)
    if rng.random() < 0.5:
        scene = cv2.resize(random_texture(rng, 384, textures), (width, height))
        picture = (picture * soft + scene * (1 - soft)).astype(np.uint8)
    picture = np.ascontiguousarray(picture)
    if rng.random() < 0.3:
        face = (neck + 0.55 * (crown - neck)) / [width, height]
        hide_face(rng, picture, (float(face[0]), float(face[1])), 4 * head / width)
    if rng.random() < 0.2:
        occlude(rng, picture, textures)
    picture = shaded(rng, picture) if rng.random() < 0.3 else picture
    picture = colour(rng, picture) if rng.random() < 0.6 else picture
    return cv2.GaussianBlur(picture, (0, 0), float(rng.uniform(0.3, 1.5))) if rng.random() < 0.3 else picture


def spoilt_photo(
    pixels: Image, mask: Image, truth: dict[str, Any], rng: Rng, textures: list[Image]
) -> tuple[Image, Image, np.ndarray]:
    """Photo, mask and rotation (3, 3) of its camera: turned, disguised, small, noisy, cut below the neck; each of it
    now and then."""
    main = truth["people"][0]
    picture, mask, affine = turned_photo(rng, pixels, mask)
    neck, crown = (
        affine[:, :2] @ point + affine[:, 2]
        for point in (main["joints2d"][main["joints_names"].index("neck")], main["face_points"]["crown"]["uv"])
    )
    head = max(float(np.linalg.norm(crown - neck)), SMALLEST_HEAD)
    picture = disguised(rng, picture, mask, neck, crown, textures)
    shrink = min(1.0, float(np.exp(rng.uniform(np.log(18), np.log(140)))) / head) if rng.random() < 0.6 else 1.0
    picture, mask = (cv2.resize(a, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA) for a in (picture, mask))
    if rng.random() < 0.4:
        picture = np.clip(picture + rng.normal(0, rng.uniform(0, 14), picture.shape), 0, 255).astype(np.uint8)
    if rng.random() < 0.6:
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(25, 95))]
        picture = cv2.imdecode(cv2.imencode(".jpg", picture, quality)[1], cv2.IMREAD_COLOR)
    end = int(shrink * (neck[1] + rng.uniform(0.25, 1.6) * head))
    if rng.random() < 0.5 and mask[: max(end, 0)].any() and 24 < end < len(picture):
        picture, mask = picture[:end], mask[:end]
    camera = np.eye(3)
    camera[:2, :2] = affine[:, :2]
    return np.ascontiguousarray(picture), np.ascontiguousarray(mask), camera
