"""Pictures of a sample for the page: a small picture, a layer with the body, and the body in three dimensions."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from phq.building.contact_sheet import BODY_COLOUR
from phq.dataset.item import Item
from phq.errors import InputError
from phq.pose.drawn import Bodies, DrawnBody
from phq.pose.render import draw_body

SIZES = (128, 256, 512)
"""Sides in which a picture can be requested, pixels."""
_JPEG_QUALITY = 88
_WEBP_QUALITY = 80
_REDUCED = {2: cv2.IMREAD_REDUCED_COLOR_2, 4: cv2.IMREAD_REDUCED_COLOR_4, 8: cv2.IMREAD_REDUCED_COLOR_8}


def thumbnail(content: bytes, stored: int, size: int) -> bytes:
    """A stored JPEG, reduced to the requested side; unchanged if it is not larger.

    Args:
        content: the JPEG.
        stored: its side, pixels.
        size: requested side, pixels.

    Raises:
        InputError: the JPEG is damaged.
    """
    factor = next((f for f in (8, 4, 2) if stored // f >= size), 1)
    if factor == 1 and stored <= size:
        return content
    # the JPEG decoder itself halves a picture, for less than a whole decode costs
    flags = _REDUCED.get(factor, cv2.IMREAD_COLOR) | cv2.IMREAD_IGNORE_ORIENTATION
    pixels = cv2.imdecode(np.frombuffer(content, np.uint8), flags)
    if pixels is None:
        raise InputError("the stored picture cannot be decoded")
    if pixels.shape[0] > size:
        pixels = cv2.resize(pixels, (size, size), interpolation=cv2.INTER_AREA)
    return _encoded(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])


def body_layer(item: Item, size: int, bodies: Bodies) -> bytes:
    """The body as the sample's camera sees it, size × size, WebP, transparent around the body.

    Raises:
        InputError: the sample has no pose, or its body is not available.
    """
    found, row = _posed(item, bodies)
    K = np.diag([size, size, 1.0]) @ np.reshape(row["intrinsics"], (3, 3))
    nothing = np.zeros((size, size, 3), np.uint8)
    drawn = draw_body(nothing, found.vertices, found.body.faces, K, colour=BODY_COLOUR, opacity=1.0)
    alpha = np.where(drawn.any(-1, keepdims=True), 255, 0).astype(np.uint8)
    return _encoded(".webp", np.concatenate([drawn[..., ::-1], alpha], -1), [cv2.IMWRITE_WEBP_QUALITY, _WEBP_QUALITY])


def vertices(item: Item, bodies: Bodies) -> bytes:
    """(V, 3) vertices of the body in the world (neck origin, y up, torso facing +z), metres, float32, little-endian.

    Raises:
        InputError: the sample has no pose, or its body is not available.
    """
    found, row = _posed(item, bodies)
    cam2world = np.reshape(row["cam2world"], (4, 4))
    in_world = found.vertices @ cam2world[:3, :3].T + cam2world[:3, 3]
    return in_world.astype("<f4").tobytes()


def faces(item: Item, bodies: Bodies) -> bytes:
    """(F, 3) vertex numbers of the sample's body, uint16, little-endian.

    Raises:
        InputError: the sample has no pose, or its body is not available.
    """
    return _posed(item, bodies)[0].body.faces.astype("<u2").tobytes()


def _posed(item: Item, bodies: Bodies) -> tuple[DrawnBody, dict[str, Any]]:
    row = item.row
    if row.get("smpl_pose") is None or row.get("cam2world") is None:
        raise InputError(f"sample {item.key} was rejected before it had a pose")
    found = bodies.drawn(row)
    if found is None:
        raise InputError(bodies.note(row))
    return found, row


def _encoded(suffix: str, pixels: NDArray[np.uint8], options: list[int]) -> bytes:
    done, content = cv2.imencode(suffix, pixels, options)
    assert done
    return content.tobytes()
