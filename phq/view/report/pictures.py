"""Small pictures of samples, encoded for the page."""

from __future__ import annotations

import base64
import io

import numpy as np
from PIL import Image as Pil

from phq.building.contact_sheet import laid_over
from phq.dataset.reader import Dataset
from phq.errors import InputError
from phq.pose.drawn import Bodies
from phq.system.arrays import Image

THUMB, TILE = 112, 216
"""Sides, pixels."""
_QUALITY = {THUMB: 68, TILE: 76}


def thumb(dataset: Dataset, row: int) -> str:
    """`THUMB` × `THUMB` WebP in base64; '' if the picture cannot be read."""
    picture = _small(dataset, row, THUMB)
    return "" if picture is None else encoded(picture)


def with_body(dataset: Dataset, row: int, bodies: Bodies) -> tuple[Image, Image] | None:
    """`TILE` × `TILE` × 3 RGB: the picture, and with the fitted body over it; None if it cannot be read."""
    picture = _small(dataset, row, TILE)
    if picture is None:
        return None
    return picture, laid_over(picture, dataset[row].row, bodies, opacity=0.6)


def encoded(picture: Image) -> str:
    """WebP of an RGB picture, in base64."""
    stream = io.BytesIO()
    Pil.fromarray(picture).save(stream, "WEBP", quality=_QUALITY[len(picture)], method=4)
    return base64.b64encode(stream.getvalue()).decode()


def _small(dataset: Dataset, row: int, side: int) -> Image | None:
    try:
        with Pil.open(io.BytesIO(dataset.read(row)), formats=["JPEG"]) as picture:
            picture.draft("RGB", (side, side))  # decodes no more of it than that takes
            return np.asarray(picture.convert("RGB").resize((side, side), Pil.Resampling.LANCZOS))
    except (InputError, OSError, SyntaxError):  # the shard's fault, or the picture's; Pillow raises both
        return None
