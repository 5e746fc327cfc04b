"""The contact sheet: crops in the order of their yaw, each beside itself with mask and fitted body drawn over it."""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import ArrayLike
from PIL import Image as Pil

from phq.camera.convention import intrinsics
from phq.dataset.derived import signed_png
from phq.pose.drawn import BODIES, Bodies
from phq.pose.render import draw_body
from phq.schema import Fields
from phq.system.arrays import Floats, Image
from phq.system.atomic import write_bytes
from phq.system.linear import product

TILE = 256
LINE = 16
"""From one line of text to the next, pixels."""
COLUMNS = 4
MOST = 24
BODY_COLOUR = (90, 170, 255)
OUTSIDE = 0.45
"""Factor of the brightness outside the mask."""
LEGEND = (
    "each twice: stored crop; mask (darker outside), fitted body",
    "torso, head: yaw of the camera about each, in degrees:",
    "0 from the front, + from the person's left, 180 behind",
)
"""As wide as two tiles."""


def choose(rows: list[Fields], most: int = MOST) -> list[Fields]:
    """At most `most` rows, evenly over all samples in the order of their yaw: back views appear by themselves."""
    return [rows[number] for number in chosen([r["camera_yaw_deg"] for r in rows], [r["key"] for r in rows], most)]


def chosen(yaws: ArrayLike, keys: ArrayLike, most: int = MOST) -> list[int]:
    """Numbers of the rows that `choose` takes.

    Args:
        yaws: of each row, degrees.
        keys: of each row, or numbers in their order.
        most: rows at most.
    """
    ordered = np.lexsort((np.asarray(keys), np.asarray(yaws, float)))
    if len(ordered) <= most:
        return list(ordered.tolist())
    return [int(ordered[round(i * (len(ordered) - 1) / (most - 1))]) for i in range(most)]


def write_contact_sheet(
    path: Path, rows: list[Fields], fetch: Callable[[Fields], dict[str, bytes]], bodies: Bodies = BODIES
) -> None:
    """Draw the sheet as a PNG; an empty dataset gets an empty sheet."""
    tiles = [pair(row, fetch(row), bodies) for row in choose(rows)] or [np.zeros((TILE, 2 * TILE, 3), np.uint8)]
    while len(tiles) % COLUMNS and len(tiles) > COLUMNS:
        tiles.append(np.zeros_like(tiles[0]))
    rows_of_tiles = [np.hstack(tiles[i : i + COLUMNS]) for i in range(0, len(tiles), COLUMNS)]
    legend = np.zeros((LINE * len(LEGEND) + 8, rows_of_tiles[0].shape[1], 3), np.uint8)
    fast = {"compress_level": 1, "compress_type": zlib.Z_RLE}  # a quarter of the time
    write_bytes(path, signed_png(np.vstack([_written(legend, LEGEND), *rows_of_tiles]), **fast))


def pair(row: Fields, members: dict[str, bytes], bodies: Bodies = BODIES) -> Image:
    """TILE × 2·TILE × 3: the crop, and the crop with mask and body, with its yaw written on it.

    A note is added where the body is not the one that the record names, or is missing.
    """
    jpg = Pil.open(io.BytesIO(members["jpg"]))
    jpg.draft("RGB", (TILE, TILE))  # decodes a large crop at half its size or less
    crop = np.asarray(jpg.convert("RGB").resize((TILE, TILE), Pil.Resampling.BOX))
    mask = np.asarray(Pil.open(io.BytesIO(members["mask.png"])).convert("L").resize((TILE, TILE)))
    masked = np.where(mask[..., None] > 127, crop, (crop * OUTSIDE).astype(np.uint8))
    drawn = laid_over(masked, row, bodies, opacity=0.55)
    return _written(np.hstack([crop, drawn]), [line for line in (directions(row), bodies.note(row)) if line])


def directions(row: Fields) -> str:
    """Yaws in whole degrees, as `LEGEND` explains them."""
    return f"torso {round(row['camera_yaw_deg'])}  head {round(row['head_yaw_deg'])}"


def laid_over(picture: Image, row: Fields, bodies: Bodies, opacity: float) -> Image:
    """The square picture with the body of its record over it, or the picture where no body can be drawn."""
    found = bodies.drawn(row)
    if found is None:
        return picture
    K = product(np.diag([len(picture), len(picture), 1.0]), np.reshape(row["intrinsics"], (3, 3)))
    return draw_body(picture, found.vertices, found.body.faces, K, colour=BODY_COLOUR, opacity=opacity)


def pixel_intrinsics(size: int) -> Floats:
    """3×3 intrinsics in pixels of a size × size picture."""
    return product(np.diag([size, size, 1.0]), intrinsics())


def _written(image: Image, lines: Sequence[str]) -> Image:
    """The picture with lines of text at its lower left."""
    written = np.ascontiguousarray(image)
    for number, text in enumerate(lines):
        place = (5, len(image) - 8 - LINE * (len(lines) - 1 - number))
        for colour, width in (((0, 0, 0), 3), ((255, 255, 255), 1)):
            cv2.putText(written, text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.45, colour, width, cv2.LINE_AA)
    return written
