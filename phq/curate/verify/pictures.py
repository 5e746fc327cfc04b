"""Verification of a sample's image and mask: whether they decode and agree with the record."""

from __future__ import annotations

import hashlib
import io
import zlib
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from PIL import Image as Pil

from phq.system.arrays import Image

Problem = tuple[str, str]
"""Kind of a violation, and its detail."""
PNG = b"\x89PNG\r\n\x1a\n"


def picture_digest(pixels: Image) -> bytes:
    """Digest (16 bytes) that two pictures share only if all their pixels are equal."""
    return hashlib.blake2b(pixels.tobytes(), digest_size=16).digest()


def jpg_problems(content: bytes, key: str, record: Mapping[str, Any] | None) -> tuple[list[Problem], Image | None]:
    """What is wrong with a stored image, and its H × W × 3 RGB pixels if it can be decoded.

    Args:
        content: the member's bytes.
        key: of the sample.
        record: fields of the sample, None if they are not known.
    """
    digest = hashlib.sha256(content).hexdigest()[:16]
    problems = [] if digest == key else [("key_wrong", f"the image's bytes have the hash {digest}")]
    picture = _decoded(content, "JPEG", "RGB")
    if isinstance(picture, str):
        return [*problems, ("jpg_damaged", picture)], None
    return problems + _size_problem("jpg_size", picture, record), picture


def mask_problems(content: bytes, record: Mapping[str, Any] | None) -> list[Problem]:
    """Problems of a stored mask; arguments as for `jpg_problems`."""
    if broken := png_fault(content):
        return [("mask_damaged", broken)]
    mask = _decoded(content, "PNG", "L")
    if isinstance(mask, str):
        return [("mask_damaged", mask)]
    return [*_size_problem("mask_size", mask, record), *_value_problems(mask, record)]


def _decoded(content: bytes, kind: str, mode: str) -> Image | str:
    """Pixels, or a sentence why they cannot be decoded."""
    try:
        with Pil.open(io.BytesIO(content), formats=[kind]) as picture:
            if picture.mode != mode:
                return f"its mode is {picture.mode}, not {mode}"
            return np.asarray(picture)
    except Exception as error:  # noqa: BLE001 - decoders raise anything on damaged bytes
        return f"not a whole {kind}: {error}"


def _size_problem(kind: str, pixels: Image, record: Mapping[str, Any] | None) -> list[Problem]:
    height, width = pixels.shape[:2]
    if record is None or (height, width) == (record["image_size"],) * 2:
        return []
    return [(kind, f"{width} × {height}, and image_size is {record['image_size']}")]


def _value_problems(mask: Image, record: Mapping[str, Any] | None) -> Iterator[Problem]:
    inside = mask == 255
    if not (inside | (mask == 0)).all():
        yield "mask_values", f"it has {', '.join(map(str, np.setdiff1d(mask, [0, 255])[:5]))}"
    elif record is not None and abs(float(inside.mean()) - record["mask_fraction"]) > 1e-6:
        yield "mask_differs", f"{inside.mean():.6f} of the mask, and mask_fraction is {record['mask_fraction']}"


def png_fault(content: bytes) -> str:
    """Why this is not an intact PNG, '' if it is: signature, chunks, their checksums, and nothing after the last.

    Decoders skip the checksum of the pixels (PNG specification, third edition, section 5.3).
    """
    if content[:8] != PNG:
        return "it does not begin as a PNG"
    position, kind = 8, b""
    while kind != b"IEND":
        size, kind = int.from_bytes(content[position : position + 4], "big"), content[position + 4 : position + 8]
        end = position + 12 + size
        if end > len(content):
            return "it ends inside a chunk"
        if zlib.crc32(content[position + 4 : end - 4]) != int.from_bytes(content[end - 4 : end], "big"):
            return f"the checksum of its chunk {kind.decode('latin-1')!r} at byte {position} does not hold"
        position = end
    return "" if position == len(content) else f"{len(content) - position} bytes follow its end"
