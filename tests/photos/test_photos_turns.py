"""Turns stated by the container, by Exif, by XMP, or by several of them."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from encoded_pictures import encoded, has_heif, small_picture
from PIL import ExifTags, Image, features
from unusual_photos import turned

from phq.photos.decode import decode_bytes
from phq.photos.isobmff import read_statement
from phq.photos.turns import read_turn

PICTURE = small_picture().resize((20, 15)).resize((160, 120), Image.Resampling.BICUBIC)
ISO = [
    pytest.param("AVIF", marks=pytest.mark.skipif(not features.check("avif"), reason="no AVIF encoder here")),
    pytest.param("HEIF", marks=pytest.mark.skipif(not has_heif(), reason="no HEIC encoder here")),
]


def xmp(orientation: int) -> bytes:
    space = 'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns:tiff="http://ns.adobe.com/tiff/1.0/"'
    about = f'<rdf:Description tiff:Orientation="{orientation}"/>'
    return f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF {space}>{about}</rdf:RDF></x:xmpmeta>'.encode()


def exif_of(orientation: int) -> bytes:
    """With a second tag, so that writers keep the block when they take the orientation out."""
    block = Image.Exif()
    block[ExifTags.Base.Make] = "Maker"
    block[ExifTags.Base.Orientation] = orientation
    return block.tobytes()


def container(kind: str, stored: int, exif: int, keep_turn: bool) -> bytes:
    """An AVIF or HEIC stored for orientation `stored`, with that of `exif` in Exif.

    Writers make irot and imir of the Exif orientation; `keep_turn` says whether they stay. Exif is then set to `exif`.
    """
    image, _ = turned(PICTURE, stored)
    if kind == "AVIF":
        block = exif_of(stored if keep_turn else 1)
        return bytes(with_exif_item(bytearray(encoded(image, kind, quality=95, subsampling="4:4:4", exif=block)), exif))
    data = bytearray(encoded(image, kind, exif=exif_of(stored)))
    at = data.index(struct.pack(">HHI", 0x0112, 3, 1))
    data[at + 8 : at + 10] = struct.pack(">H", exif)
    return bytes(data if keep_turn else data.replace(b"irot", b"free").replace(b"imir", b"free"))


def with_exif_item(data: bytearray, orientation: int) -> bytearray:
    """The tag Make becomes the orientation, which Pillow has taken out of what it writes."""
    at = data.index(struct.pack(">HHI", 0x010F, 2, 6))
    data[at : at + 12] = struct.pack(">HHIHH", 0x0112, 3, 1, orientation, 0)
    return data


def is_upright(data: bytes) -> bool:
    pixels = decode_bytes(data).pixels
    return pixels.shape == (120, 160, 3) and float(np.abs(pixels - np.asarray(PICTURE, float)).mean()) < 6


@pytest.mark.parametrize("kind", ISO)
@pytest.mark.parametrize("orientation", range(1, 9))
class TestContainers:
    def test_stated_in_both_is_applied_once(self, kind: str, orientation: int) -> None:
        data = container(kind, orientation, orientation, keep_turn=True)
        assert is_upright(data)
        assert decode_bytes(data).remark == ""

    def test_reset_in_exif_follows_the_container(self, kind: str, orientation: int) -> None:
        data = container(kind, orientation, 1, keep_turn=True)
        assert is_upright(data)
        assert decode_bytes(data).remark == ""

    def test_stated_in_exif_alone_is_applied(self, kind: str, orientation: int) -> None:
        data = container(kind, orientation, orientation, keep_turn=False)
        assert is_upright(data)
        assert decode_bytes(data).remark == ""

    def test_the_container_wins_a_contradiction_which_is_told(self, kind: str, orientation: int) -> None:
        data = container(kind, orientation, 3 if orientation != 3 else 6, keep_turn=True)
        assert is_upright(data) or orientation == 1
        told = (
            f"its metadata state orientation {3 if orientation != 3 else 6}, its container {orientation}, which counts"
        )
        assert decode_bytes(data).remark == ("" if orientation == 1 else told)


@pytest.mark.parametrize("kind", ISO)
def test_xmp_alone_is_applied_too(kind: str) -> None:
    stored, _ = turned(PICTURE, 6)
    options = {"quality": 95} if kind == "AVIF" else {}
    data = encoded(stored, kind, xmp=xmp(6), **options)
    assert is_upright(data.replace(b"irot", b"free"))


@pytest.mark.parametrize("compression", [None, "tiff_lzw"])
@pytest.mark.parametrize(("tag", "in_xmp"), [(6, 0), (6, 6), (6, 1), (0, 6), (8, 3), (1, 0)])
def test_tiffs(compression: str | None, tag: int, in_xmp: int) -> None:
    stored, _ = turned(PICTURE, tag or in_xmp)
    tags = {274: tag} if tag else {}
    data = encoded(stored, "TIFF", compression=compression, tiffinfo={**tags, **({700: xmp(in_xmp)} if in_xmp else {})})
    assert is_upright(data)
    told = "its metadata state orientation 3, its container 8, which counts"
    assert decode_bytes(data).remark == (told if in_xmp == 3 else "")


@pytest.mark.parametrize("kind", ISO)
def test_a_damaged_container_states_nothing_and_raises_nothing(kind: str) -> None:
    data = container(kind, 6, 6, keep_turn=True)
    head = data[: data.index(b"mdat")]
    assert read_statement(b"") is read_statement(data[:40]) is None
    rng = np.random.default_rng(0)
    for _ in range(300):
        at = int(rng.integers(8, len(head)))
        read_statement(data[:at] + rng.bytes(3) + data[at + 3 :])
        read_statement(data[:at])
    image = Image.new("RGB", (4, 4))
    image.info["exif"] = exif_of(6)
    assert read_turn("AVIF", b"", image).orientation == 6
    assert read_turn("HEIF", b"", image).orientation == 1


def test_exif_that_is_damaged_states_nothing() -> None:
    stored, _ = turned(PICTURE, 1)
    if features.check("avif"):
        out = io.BytesIO()
        stored.save(out, "AVIF", quality=95, exif=exif_of(1))
        assert is_upright(out.getvalue().replace(b"MM\0*\0\0\0\x08", b"MM\0*\xff\xff\xff\xff"))
