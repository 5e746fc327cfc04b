"""Draws a body over a picture: a shaded mesh through a z-buffer, and the skeleton. NumPy and OpenCV only.

Camera axes are OpenCV's (x right, y down, z forward); K is in pixels with the centre of the first pixel at
(0.5, 0.5). Anything that reaches behind the camera is left out, so a bad pose draws nothing and does not raise.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from phq.system.arrays import Doubles, Floats, Image, Ints
from phq.system.linear import length, product

Colour = tuple[int, int, int]

NEAR = 0.1
"""Nearest depth drawn, metres."""
MAX_CANDIDATES = 1 << 20
"""Pairs of face and pixel looked at in one go; bounds the memory when a face fills the picture."""
FRACTION_BITS = 4
"""OpenCV draws lines at sixteenths of a pixel; its pixel centres are whole numbers, ours are halves."""


def project(points: ArrayLike, K: ArrayLike) -> Doubles:
    """Pixel positions (…, 2) of points (…, 3) in camera axes; NaN where they are nearer than NEAR or not finite."""
    xyz = np.asarray(points, dtype=np.float64)
    drawable = np.isfinite(xyz).all(-1, keepdims=True) & (xyz[..., 2:] > NEAR)
    uvw = product(np.where(drawable, xyz, np.nan), np.asarray(K, dtype=np.float64).T)
    return np.asarray(uvw[..., :2] / uvw[..., 2:], dtype=np.float64)


def draw_body(
    image: Image,
    vertices_cam: Floats,
    faces: NDArray[np.integer],
    K: ArrayLike,
    *,
    colour: Colour = (150, 180, 220),
    opacity: float = 0.75,
) -> Image:
    """The picture with the shaded mesh over it, as a new array.

    Args:
        image: H × W × 3 in the channel order of `colour`.
        vertices_cam: (V, 3) metres, camera axes.
        faces: (F, 3) vertex numbers, counter-clockwise from outside; faces turned away are not drawn.
        K: 3 × 3 in pixels.
        colour: of a surface that faces the camera.
        opacity: 0 leaves the picture, 1 hides it.
    """
    height, width = image.shape[:2]
    vertices = np.asarray(vertices_cam, dtype=np.float64)
    drawable = np.isfinite(vertices).all(-1) & (vertices[:, 2] > NEAR)
    shown = faces if drawable.all() else faces[drawable[faces].all(1)]
    shade, front = _shading(vertices[shown])
    shown, shade = shown[front], shade[front]
    pixel, face = rasterise(project(vertices, K)[shown], vertices[shown, 2], width, height)
    out = image.reshape(-1, 3).copy()
    lit = np.asarray(colour, dtype=np.float64) * shade[face, None]
    mixed = (1 - opacity) * out[pixel].astype(np.float64) + opacity * lit
    out[pixel] = np.clip(np.rint(mixed), 0, 255)
    return out.reshape(image.shape)


def _shading(corners: Doubles) -> tuple[Doubles, NDArray[np.bool_]]:
    """Brightness (F,) under a lamp above the camera's shoulder, and which faces look at the camera."""
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normal /= np.linalg.norm(normal, axis=1, keepdims=True) + 1e-30
    front = np.asarray((normal * corners.mean(1)).sum(1) < 0)
    lamp = np.array([-0.35, -0.55, -0.75]) / length([0.35, 0.55, 0.75])
    return 0.35 + 0.65 * np.clip(product(normal, lamp), 0, 1), front


def rasterise(corners: Doubles, depth: Doubles, width: int, height: int) -> tuple[Ints, Ints]:
    """Flat pixel numbers that are covered, each once, and the nearest face there.

    Every face is asked at every pixel centre of its bounding box. 1/depth is linear in the picture; of several
    hits the last written remains, and hits are written from far to near.

    Args:
        corners: (F, 3, 2) pixels, see `project`.
        depth: (F, 3) of the corners, at least NEAR.
        width, height: of the picture.
    """
    low, span = _boxes(corners, width, height)
    nearest = np.full(width * height, -1, dtype=np.int64)
    closeness = np.zeros(width * height)
    sides = sides_of(corners)
    rounds = np.cumsum(span[:, 0] * span[:, 1]) // MAX_CANDIDATES
    for faces in np.split(np.arange(len(corners)), np.flatnonzero(np.diff(rounds)) + 1):
        face, x, y = _candidates(faces, low, span)
        a, b, c = barycentric(sides, face, x + 0.5, y + 0.5)
        inside = np.flatnonzero((a >= 0) & (b >= 0) & (c >= 0))
        face, pixel = face[inside], y[inside] * width + x[inside]
        inverse = a[inside] / depth[face, 0] + b[inside] / depth[face, 1] + c[inside] / depth[face, 2]
        hit = np.flatnonzero(inverse > closeness[pixel])
        hit = hit[np.argsort(inverse[hit], kind="stable")]
        nearest[pixel[hit]], closeness[pixel[hit]] = face[hit], inverse[hit]
    covered = np.flatnonzero(nearest >= 0)
    return covered, nearest[covered]


def _boxes(corners: Doubles, width: int, height: int) -> tuple[Ints, Ints]:
    """First column and row (F, 2), and number of them (F, 2), whose pixel centres lie in each face's bounding box."""
    size = np.array([width, height])
    first, second, third = (corners[:, i] for i in range(3))  # a reduction along three is ten times slower
    low = np.clip(np.ceil(np.minimum(np.minimum(first, second), third) - 0.5), 0, size).astype(np.int64)
    high = np.clip(np.floor(np.maximum(np.maximum(first, second), third) + 0.5), 0, size).astype(np.int64)
    flat = _cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]) == 0
    return low, np.where(flat[:, None], 0, np.maximum(high - low, 0))


def _candidates(faces: Ints, low: Ints, span: Ints) -> tuple[Ints, Ints, Ints]:
    """Face, column and row of every pixel in the boxes of some faces."""
    count = span[faces, 0] * span[faces, 1]
    face = np.repeat(faces, count)
    step = np.arange(len(face)) - np.repeat(np.cumsum(count) - count, count)
    return face, low[face, 0] + step % span[face, 0], low[face, 1] + step // span[face, 0]


def sides_of(corners: Doubles) -> Doubles:
    """(7, F) first corner, the ways from it to the two others, and twice the area between them."""
    first, second, third = (np.ascontiguousarray(corners[:, i].T) for i in range(3))
    one, other = second - first, third - first
    return np.concatenate([first, one, other, (one[0] * other[1] - one[1] * other[0])[None]])


def barycentric(sides: Doubles, face: Ints, x: Floats, y: Floats) -> tuple[Doubles, Doubles, Doubles]:
    """Weights (N,) of the three corners at points (N,), in the picture's plane.

    Args:
        sides: see `sides_of`.
        face: (N,) number of the face that each point is asked about.
        x: (N,) pixels.
        y: (N,) pixels.
    """
    first_x, first_y, one_x, one_y, other_x, other_y, area = (side[face] for side in sides)
    along, down = x - first_x, y - first_y
    second = (along * other_y - down * other_x) / area
    third = (one_x * down - one_y * along) / area
    return 1 - second - third, second, third


def _cross(a: Doubles, b: Doubles) -> Doubles:
    return np.asarray(a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0], dtype=np.float64)


def draw_skeleton(
    image: Image,
    joints_cam: Floats,
    parents: Sequence[int],
    K: ArrayLike,
    *,
    colour: Colour = (255, 140, 0),
    thickness: int = 1,
) -> Image:
    """The picture with a line from every joint to its parent, as a new array.

    Args:
        image: H × W × 3.
        joints_cam: (J, 3) metres, camera axes.
        parents: number of each joint's parent, −1 for the root.
        K: 3 × 3 in pixels.
        colour: of lines and joints.
        thickness: of the lines, pixels.
    """
    out = image.copy()
    pixels = (project(joints_cam, K) - 0.5) * (1 << FRACTION_BITS)
    seen: list[bool] = np.all(np.abs(pixels) < 2**30, axis=1).tolist()  # false too where not finite
    ends = [(int(x), int(y)) for x, y in np.nan_to_num(pixels).round()]
    for joint, parent in enumerate(parents):
        if parent >= 0 and seen[joint] and seen[parent]:
            cv2.line(out, ends[parent], ends[joint], colour, thickness, cv2.LINE_AA, FRACTION_BITS)
    for end in (end for end, visible in zip(ends, seen, strict=True) if visible):
        cv2.circle(out, end, (thickness + 1) << FRACTION_BITS, colour, -1, cv2.LINE_AA, FRACTION_BITS)
    return out
