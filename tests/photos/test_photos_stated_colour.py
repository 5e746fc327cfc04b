"""Colour that a file states outside an ICC profile, against the values of an independent calculation."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from encoded_pictures import encoded, has_heif
from PIL import Image, ImageCms, features
from stated_colours import (
    ADOBE_BY_EXIF,
    IN_SRGB,
    P3,
    PROPHOTO,
    SRGB,
    bmp,
    chrm,
    cicp,
    colours_of,
    exif,
    gama,
    linear_grey_profile,
    picture,
    png,
    with_exif,
    with_nclx,
)
from unusual_photos import DISPLAY_P3, in_profile

from phq.photos.colour_space import ColourSpace, Primaries, from_codes
from phq.photos.decode import PhotoRejectError, decode_bytes

P3_ICC = in_profile(picture(), DISPLAY_P3)[1]
SRGB_ICC = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
P3_XYZ = (0.48657, 0.22897, 0.0, 0.26567, 0.69174, 0.04511, 0.19822, 0.07929, 1.04394)
RATIONAL_P3 = {318: (0.3127, 0.3290), 319: (0.68, 0.32, 0.265, 0.69, 0.15, 0.06)}
LINEAR_TABLE = tuple(range(0, 65536, 257))

needs_heif = pytest.mark.skipif(not has_heif(), reason="no HEIC encoder here")
needs_avif = pytest.mark.skipif(not features.check("avif"), reason="no AVIF encoder here")


def off(data: bytes, space: str) -> int:
    """Largest difference from the colours of `space`, in levels."""
    return int(np.abs(np.array(colours_of(decode_bytes(data).pixels)) - IN_SRGB[space]).max())


def reason_of(data: bytes) -> tuple[str, str]:
    with pytest.raises(PhotoRejectError) as reject:
        decode_bytes(data)
    return reject.value.reason, reject.value.detail


class TestPng:
    @pytest.mark.parametrize(
        ("chunks", "space"),
        [
            ([cicp(12, 13)], "Display P3"),
            ([cicp(12, 1)], "Display P3, curve of BT.709"),
            ([cicp(9, 14)], "BT.2020"),
            ([cicp(1, 1)], "BT.709"),
            ([cicp(6, 6)], "SMPTE 170M"),
            ([cicp(5, 5)], "BT.470 BG"),
            ([cicp(11, 13)], "DCI white"),
            ([cicp(1, 8)], "linear"),
            ([cicp(1, 13)], "sRGB"),
            ([gama(100000)], "linear"),
            ([gama(55556)], "1.8"),
            ([gama(45455)], "sRGB"),
            ([gama(45455), chrm(SRGB)], "sRGB"),
            ([chrm(P3)], "Display P3"),
            ([gama(45455), chrm(P3)], "Display P3, 2.2"),
            ([gama(55556), chrm(PROPHOTO)], "ProPhoto"),
        ],
        ids=str,
    )
    def test_each_chunk(self, chunks: list[tuple[bytes, bytes]], space: str) -> None:
        assert off(png(*chunks), space) <= 2

    @pytest.mark.parametrize(
        ("chunks", "icc", "space"),
        [
            ([cicp(9, 14)], P3_ICC, "BT.2020"),
            ([cicp(12, 13), (b"sRGB", b"\0"), gama(100000)], None, "Display P3"),
            ([cicp(2, 2)], P3_ICC, "Display P3"),
            ([gama(100000)], P3_ICC, "Display P3"),
            ([(b"sRGB", b"\0"), gama(100000), chrm(P3)], None, "sRGB"),
        ],
        ids=range(5),
    )
    def test_the_stronger_chunk_counts(self, chunks: list[tuple[bytes, bytes]], icc: bytes | None, space: str) -> None:
        assert off(png(*chunks, **({"icc_profile": icc} if icc else {})), space) <= 2

    def test_narrow_range_is_stretched(self) -> None:
        narrow = np.asarray(picture()).astype(float)
        full = colours_of(decode_bytes(png(cicp(1, 13, full=0))).pixels)
        expected = np.clip((narrow[16::32, 16::32].ravel() - 16) * 255 / 219, 0, 255)
        assert np.abs(full - expected).max() <= 1

    @pytest.mark.parametrize("how", ["LA", "tRNS", "1"])
    def test_grey_with_transparency_keeps_its_profile(self, how: str) -> None:
        """A picture of one grey, opaque: light to sRGB's curve."""
        profile, grey = linear_grey_profile(), Image.new("L", (64, 64), 255 if how == "1" else 100)
        options = {"transparency": 3} if how == "tRNS" else {}
        data = encoded(grey.convert("L" if how == "tRNS" else how), "PNG", icc_profile=profile, **options)
        light = np.asarray(grey)[0, 0] / 255
        expected = 255 * (1.055 * light ** (1 / 2.4) - 0.055)
        assert np.abs(decode_bytes(data).pixels - expected).max() <= 1

    def test_grey_follows_gamma(self) -> None:
        data = encoded(picture().convert("L"), "PNG")
        data = data[:33] + png(gama(100000))[33:49] + data[33:]
        grey = colours_of(decode_bytes(data).pixels[..., :1])
        light = np.asarray(picture().convert("L"))[16::32, 16::32].ravel() / 255
        assert np.abs(grey - 255 * (1.055 * light ** (1 / 2.4) - 0.055)).max() <= 1

    @pytest.mark.parametrize(
        "chunks",
        [
            [gama(0)],
            [gama(1)],
            [chrm((31270, 0, *P3[2:]))],
            [chrm((0,) * 8)],
            [chrm((31270, 32900, 40000, 40000, 50000, 50000, 60000, 60000))],
            [(b"cICP", b"\x0c\x0d")],
        ],
        ids=str,
    )
    def test_what_states_no_space_counts_as_nothing(self, chunks: list[tuple[bytes, bytes]]) -> None:
        assert off(png(*chunks), "sRGB") == 0


class TestExif:
    @pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
    def test_adobe_rgb(self, kind: str) -> None:
        assert off(with_exif(kind, exif(tags={0xA001: 2})), "Adobe RGB") <= 2
        if kind != "TIFF":  # Pillow writes no InteroperabilityIndex into a TIFF
            assert off(with_exif(kind, ADOBE_BY_EXIF), "Adobe RGB") <= 2

    @pytest.mark.parametrize(
        ("block", "space"),
        [
            (exif(tags={0xA001: 1}), "sRGB"),
            (exif(tags={0xA001: 65535}), "sRGB"),
            (exif(tags={0xA001: 65535}, interoperability="R98"), "sRGB"),
            (exif(RATIONAL_P3, {0xA001: 1}), "sRGB"),
            (exif(RATIONAL_P3, {0xA001: 65535}), "Display P3"),
            (exif(RATIONAL_P3, {0xA001: 65535, 0xA500: 2.2}), "Display P3, 2.2"),
            (exif({318: (0.0, 0.0), 319: (0.0,) * 6}, {0xA001: 65535}), "sRGB"),
        ],
        ids=range(7),
    )
    def test_other_statements(self, block: bytes, space: str) -> None:
        assert off(with_exif("JPEG", block), space) <= 2

    def test_a_profile_is_stronger(self) -> None:
        data = encoded(picture(), "JPEG", quality=100, subsampling=0, exif=ADOBE_BY_EXIF, icc_profile=P3_ICC)
        assert off(data, "Display P3") <= 2

    def test_a_broken_profile_leaves_the_word_to_exif(self) -> None:
        data = encoded(picture(), "JPEG", quality=100, subsampling=0, exif=ADOBE_BY_EXIF, icc_profile=P3_ICC[:99])
        assert off(data, "Adobe RGB") <= 2

    def test_srgb_of_the_format_is_stronger(self) -> None:
        assert off(png((b"sRGB", b"\0"), exif=ADOBE_BY_EXIF), "sRGB") == 0


class TestContainers:
    @pytest.mark.parametrize("kind", [pytest.param("AVIF", marks=needs_avif), pytest.param("HEIF", marks=needs_heif)])
    @pytest.mark.parametrize(
        ("codes", "space"),
        [((12, 13), "Display P3"), ((12, 1), "Display P3, curve of BT.709"), ((1, 13), "sRGB"), ((2, 2), "sRGB")],
    )
    def test_code_points(self, kind: str, codes: tuple[int, int], space: str) -> None:
        assert off(with_nclx(kind, *codes), space) <= (3 if codes == (12, 1) else 2)

    @needs_avif
    def test_a_profile_is_stronger(self) -> None:
        data = encoded(picture(), "AVIF", quality=100, subsampling="4:4:4", icc_profile=P3_ICC)
        assert b"colrnclx" in data and b"colrprof" in data
        assert off(data, "Display P3") <= 2

    @pytest.mark.parametrize("kind", [pytest.param("AVIF", marks=needs_avif), pytest.param("HEIF", marks=needs_heif)])
    def test_hdr_is_refused_by_name(self, kind: str) -> None:
        assert reason_of(with_nclx(kind, 9, 16)) == (
            "unsupported_colour", "HDR (PQ); save it as SDR, tone mapping is a choice",
        )  # fmt: skip
        assert reason_of(with_nclx(kind, 9, 18))[1].startswith("HDR (HLG)")
        assert reason_of(with_nclx(kind, 9, 9)) == ("unsupported_colour", "code points 9, 9 of H.273")


class TestTiffAndBmp:
    @pytest.mark.parametrize(
        ("tags", "space"),
        [
            (RATIONAL_P3, "Display P3"),
            ({301: LINEAR_TABLE}, "linear"),
            ({301: LINEAR_TABLE * 3}, "linear"),
            ({301: LINEAR_TABLE[:200]}, "sRGB"),
            ({319: RATIONAL_P3[319]}, "Display P3"),
            ({318: (0.3, 0.3)}, "sRGB"),
        ],
        ids=range(6),
    )
    def test_tags_of_a_tiff(self, tags: dict[int, object], space: str) -> None:
        assert off(encoded(picture(), "TIFF", tiffinfo=tags), space) <= 2

    def test_a_bmp(self) -> None:
        assert off(bmp(xyz=P3_XYZ), "Display P3") <= 2
        assert off(bmp(xyz=P3_XYZ, gamma=2.2), "Display P3, 2.2") <= 2
        assert off(bmp(b"DEBM", profile=P3_ICC), "Display P3") <= 2
        assert off(bmp(b"BGRs"), "sRGB") == off(bmp(), "sRGB") == 0
        assert reason_of(bmp(b"KNIL"))[0] == "unsupported_colour"


def test_hdr_is_refused_wherever_it_is_stated() -> None:
    assert reason_of(png(cicp(9, 16)))[0] == reason_of(png(cicp(9, 18)))[0] == "unsupported_colour"
    assert reason_of(png(cicp(9, 13, matrix=9)))[1] == "a cICP chunk that states YCbCr, which no PNG holds"
    assert reason_of(png(cicp(200, 13)))[1] == "code points 200, 13 of H.273"
    with_tag = bytearray(SRGB_ICC)
    with_tag[128:132] = struct.pack(">I", 1)
    with_tag[132:144] = struct.pack(">4sII", b"cicp", 144, 12)
    with_tag[144:156] = b"cicp\0\0\0\0" + bytes((9, 16, 0, 1))
    assert reason_of(encoded(picture(), "JPEG", icc_profile=bytes(with_tag)))[1].startswith("HDR (PQ)")


@pytest.mark.parametrize("codes", [(1, 13), (9, 1), (12, 13), (10, 17), (4, 4), (8, 7), (22, 12)])
def test_the_colour_engine_reads_each_profile_and_keeps_white(codes: tuple[int, int]) -> None:
    space = from_codes(*codes)
    assert space is not None
    profile = ImageCms.ImageCmsProfile(io.BytesIO(space.profile()))
    assert profile.profile.xcolor_space == "RGB "
    assert np.allclose(space.primaries.to_xyz().sum(1), (0.9642, 1.0, 0.8249), atol=1e-6)


def test_primaries_on_a_line_are_none() -> None:
    with pytest.raises(ValueError, match="on a line"):
        ColourSpace(Primaries((0.1, 0.1), (0.2, 0.2), (0.3, 0.3))).profile()
