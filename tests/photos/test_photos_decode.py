"""Pixels, focal length and reasons of every kind of file."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import hashlib
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from encoded_pictures import encoded, encoded_deep, has_heif, small_picture
from PIL import ExifTags, Image, features
from unusable_photos import make_bad_files, make_odd_but_good_files
from unusual_photos import DISPLAY_P3, in_profile, turned

from phq.photos import decode as decoding
from phq.photos import tiff
from phq.photos.decode import PhotoRejectError, decode, decode_bytes
from phq.reasons import REASONS

PHOTO = Path(__file__).parents[2] / "examples" / "photos" / "face_recognition-1.3.0__obama2.jpg"

LOSSY = 5.0
"""Grey levels of mean difference that a good lossy copy stays under."""


def reason_of(data: bytes, **options: Any) -> str:
    try:
        decode_bytes(data, **options)
    except PhotoRejectError as reject:
        return reject.reason
    return "accepted"


def distance(one: Any, other: Any) -> float:
    return float(np.abs(np.asarray(one, float) - np.asarray(other, float)).mean())


def cuts_accepted(data: bytes, behind: bytes, positions: range) -> list[int]:
    """Positions at which `data`, cut off and continued by `behind`, is taken for another picture."""
    whole = decode_bytes(data).pixels
    accepted = []
    for position in positions:
        try:
            pixels = decode_bytes(data[:position] + behind).pixels
        except PhotoRejectError:
            continue
        if not np.array_equal(pixels, whole):
            accepted.append(position)
    return accepted


class TestRejects:
    def test_every_bad_file_has_its_own_reason(self, tmp_path: Path) -> None:
        expected = make_bad_files(tmp_path)
        found = {}
        for name in expected:
            with pytest.raises(PhotoRejectError) as reject:
                decode(tmp_path / name)
            found[name] = reject.value.reason
            assert reject.value.detail
        assert found == expected
        assert len(expected) >= 30

    @pytest.mark.parametrize("kind", ["PCX", "SGI", "TGA", "PPM", "QOI", "DDS", "JPEG2000", "ICO"])
    def test_pictures_of_other_kinds_are_named_as_such(self, kind: str) -> None:
        with pytest.raises(PhotoRejectError) as reject:
            decode_bytes(encoded(small_picture(), kind))
        assert reject.value.reason == "unsupported_format"

    @pytest.mark.parametrize(
        ("start", "name"),
        [
            (b"FLIF4", "FLIF"),
            (b"BPG\xfb", "BPG"),
            (b"II\xbc\x01", "JPEG XR"),
            (b"SDPX", "DPX"),
            (b"\x80\x2a\x5f\xd7", "Cineon"),
            (bytes(128) + b"DICM", "DICOM"),
        ],
    )
    def test_what_it_is_instead_is_said(self, start: bytes, name: str) -> None:
        with pytest.raises(PhotoRejectError) as reject:
            decode_bytes(start + bytes(200))
        assert (reject.value.reason, reject.value.detail) == ("unsupported_format", name)

    @pytest.mark.parametrize("compress", [gzip.compress, bz2.compress])
    def test_a_compressed_file_is_to_be_unpacked(self, compress: Callable[[bytes], bytes]) -> None:
        with pytest.raises(PhotoRejectError, match="unpack it") as reject:
            decode_bytes(compress(encoded(small_picture(), "JPEG")))
        assert reject.value.reason == "not_an_image"

    def test_reasons_are_those_of_the_table(self, tmp_path: Path) -> None:
        assert set(make_bad_files(tmp_path).values()) <= {reason.name for reason in REASONS}

    def test_a_reject_keeps_what_is_known(self) -> None:
        data = encoded(small_picture(), "JPEG")
        with pytest.raises(PhotoRejectError) as reject:
            decode_bytes(data[:-900])
        assert reject.value.sha256 == hashlib.sha256(data[:-900]).hexdigest()
        assert (reject.value.width, reject.value.height) == (160, 120)

    def test_words_do_not_change_from_run_to_run(self, tmp_path: Path) -> None:
        for name in make_bad_files(tmp_path):
            details = set()
            for _ in range(2):
                with pytest.raises(PhotoRejectError) as reject:
                    decode(tmp_path / name)
                details.add(reject.value.detail)
            assert len(details) == 1
            assert str(tmp_path) not in details.pop()

    def test_the_pixel_limit_is_told_with_the_way_to_raise_it(self) -> None:
        data = encoded(small_picture(100, 50), "PNG")
        assert decode_bytes(data, max_pixels=5000).pixels.shape == (50, 100, 3)
        with pytest.raises(PhotoRejectError, match=r"limit is 4999; raise it with --set read\.max_pixels=5000"):
            decode_bytes(data, max_pixels=4999)

    def test_the_limit_of_pillow_is_not_ours(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
        assert reason_of(encoded(small_picture(), "PNG")) == "accepted"
        assert Image.MAX_IMAGE_PIXELS == 1000

    def test_too_many_bytes(self, tmp_path: Path) -> None:
        (tmp_path / "a.png").write_bytes(encoded(small_picture(), "PNG"))
        with pytest.raises(PhotoRejectError, match="file_too_large: the limit is 1000 bytes"):
            decode(tmp_path / "a.png", max_bytes=1000)

    def test_no_memory(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def exhausted(*_: object) -> None:
            raise MemoryError

        monkeypatch.setattr(decoding, "to_srgb", exhausted)
        assert reason_of(encoded(small_picture(), "PNG")) == "too_many_pixels"

    @pytest.mark.parametrize("name", ["absent.jpg", "a.jpg/below-a-file.jpg", "zero\0byte.jpg"])
    def test_missing_files(self, tmp_path: Path, name: str) -> None:
        (tmp_path / "a.jpg").write_bytes(b"x")
        with pytest.raises(PhotoRejectError, match="missing_file"):
            decode(tmp_path / name)

    def test_a_folder_called_like_a_photo(self, tmp_path: Path) -> None:
        (tmp_path / "x.jpg").mkdir()
        with pytest.raises(PhotoRejectError, match="not_an_image: a folder"):
            decode(tmp_path / "x.jpg")

    def test_a_file_that_may_not_be_read(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "a.jpg").write_bytes(b"x")

        def refuse(*_: object) -> None:
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(Path, "open", refuse)
        with pytest.raises(PhotoRejectError, match="unreadable: Permission denied"):
            decode(tmp_path / "a.jpg")

    def test_a_missing_decoder_is_named_with_its_extra(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "pillow_heif", None)
        with pytest.raises(PhotoRejectError, match=r"decoder_missing: .*pip install 'phq\[heif\]'"):
            decode_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(100))

    def test_a_pillow_without_avif(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(features, "check", lambda feature: False)
        assert reason_of(b"\0\0\0\x18ftypavif\0\0\0\0mif1avif" + bytes(100)) == "decoder_missing"

    def test_nothing_is_warned(self, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
        exif = b"Exif\0\0" + b"II*\0\x08\0\0\0\x02\0" + b"\x10\1\2\0\xff\xff\0\0\xff\xff\0\0" * 2
        (tmp_path / "bad-exif.jpg").write_bytes(encoded(small_picture(), "JPEG", exif=exif))
        names = ["bad-exif.jpg", *(name for name in make_bad_files(tmp_path) if not name.endswith(".tif"))]
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            for name in names:
                with contextlib.suppress(PhotoRejectError):
                    decode(tmp_path / name)
        assert [str(warning.message) for warning in warned] == []
        assert capfd.readouterr() == ("", "")


class TestCutFiles:
    @pytest.mark.parametrize("behind", [b"", b"\xff\xd9", bytes(300)], ids=["nothing", "end marker", "zeros"])
    @pytest.mark.parametrize(
        "options",
        [{}, {"subsampling": 0}, {"progressive": True}, {"restart_marker_rows": 1}, {"optimize": True}],
        ids=str,
    )
    def test_no_part_of_a_jpeg_passes_for_the_whole(self, behind: bytes, options: dict[str, Any]) -> None:
        data = encoded(small_picture(83, 61), "JPEG", **options)
        assert cuts_accepted(data, behind, range(700, len(data) - 1, 7)) == []

    def test_no_part_of_a_cmyk_or_grey_jpeg_either(self) -> None:
        for mode in ("CMYK", "L"):
            data = encoded(small_picture(83, 61).convert(mode), "JPEG")
            assert cuts_accepted(data, b"\xff\xd9", range(700, len(data) - 1, 7)) == []

    @pytest.mark.parametrize("kind", ["PNG", "WEBP", "BMP", "GIF", "TIFF", "AVIF", "HEIF"])
    def test_other_formats(self, kind: str) -> None:
        if (kind == "AVIF" and not features.check("avif")) or (kind == "HEIF" and not has_heif()):
            pytest.skip("no encoder here")
        data = encoded(small_picture(), kind)
        assert cuts_accepted(data, b"", range(20, len(data), len(data) // 50)) == []
        assert {reason_of(data[: len(data) * i // 10]) for i in range(1, 10)} == {"truncated"}

    @pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_adobe_deflate", "jpeg", "packbits"])
    def test_compressed_tiffs(self, compression: str) -> None:
        data = encoded(small_picture(), "TIFF", compression=compression)
        assert {reason_of(data[: len(data) * i // 30]) for i in range(1, 30)} == {"truncated"}

    @pytest.mark.parametrize(
        "options", [{}, {"compression": "tiff_lzw"}, {"compression": "jpeg"}, {"big_tiff": True}], ids=str
    )
    def test_a_tiff_says_how_long_it_is(self, options: dict[str, Any]) -> None:
        data = encoded(small_picture(), "TIFF", **options)
        assert tiff.promised_end(data) == len(data)
        assert all(tiff.promised_end(data[:i]) > i for i in range(16, len(data), len(data) // 40))

    def test_flat_and_grey_pictures_are_whole(self) -> None:
        for colour in (0, 127, 128, 129, 255):
            for options in ({}, {"progressive": True}, {"restart_marker_blocks": 1}):
                assert reason_of(encoded(Image.new("RGB", (90, 70), (colour,) * 3), "JPEG", **options)) == "accepted"


class TestPixels:
    def test_every_way_to_write_a_photo_gives_nearly_the_same_pixels(self, tmp_path: Path) -> None:
        original = tmp_path / "original.png"
        with Image.open(PHOTO) as photo:
            picture = photo.convert("RGB").resize((180, 240), Image.Resampling.LANCZOS)
        picture.save(original)
        grey = picture.convert("L").convert("RGB")
        names = make_odd_but_good_files(tmp_path / "odd", original)
        assert len(names) >= 35
        far = {}
        for name in names:
            decoded = decode(tmp_path / "odd" / name)
            pixels = decoded.pixels
            assert pixels.shape == (240, 180, 3), name
            assert pixels.dtype == np.uint8 and pixels.flags.c_contiguous
            if (d := distance(pixels, grey if name.startswith("grey") else picture)) > LOSSY:
                far[name] = d
        assert far == {}

    def test_lossless_pixels_and_facts_are_exact(self, tmp_path: Path) -> None:
        path = tmp_path / "a.jpg"  # a PNG, whatever it is called
        path.write_bytes(encoded(small_picture(), "PNG"))
        decoded = decode(path)
        assert np.array_equal(decoded.pixels, np.asarray(small_picture()))
        assert decoded.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
        assert (decoded.format, decoded.focal_px) == ("PNG", None)

    @pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
    @pytest.mark.parametrize("orientation", range(1, 9))
    def test_orientation(self, kind: str, orientation: int) -> None:
        stored, exif = turned(small_picture(), orientation)
        options = {"lossless": True} if kind == "WEBP" else {}
        data = encoded(stored, kind, exif=exif, **options)
        assert np.array_equal(decode_bytes(data).pixels, np.asarray(small_picture()))

    def test_the_size_of_a_reject_is_upright_too(self) -> None:
        stored, exif = turned(small_picture(), 6)
        with pytest.raises(PhotoRejectError) as reject:
            decode_bytes(encoded(stored, "JPEG", exif=exif), max_pixels=100)
        assert (reject.value.width, reject.value.height) == (160, 120)

    def test_a_wide_gamut_follows_the_formula(self) -> None:
        """Display P3 to sRGB by its definition: decode the curve, matrices through XYZ, encode the curve."""
        p3, icc = in_profile(small_picture(), DISPLAY_P3)
        srgb = np.array([(0.43607, 0.22249, 0.01392), (0.38515, 0.71687, 0.09708), (0.14307, 0.06061, 0.71410)]).T
        x = np.asarray(p3) / 255
        linear = np.where(x <= 0.04045, x / 12.92, ((x + 0.055) / 1.055) ** 2.4)
        y = np.clip(linear @ (np.linalg.inv(srgb) @ np.array(DISPLAY_P3).T).T, 0, 1)
        expected = 255 * np.where(y <= 0.0031308, 12.92 * y, 1.055 * y ** (1 / 2.4) - 0.055)
        pixels = decode_bytes(encoded(p3, "PNG", icc_profile=icc)).pixels
        assert np.abs(pixels - expected).max() < 2.5
        assert distance(p3, expected) > 5

    def test_sixteen_bits_are_scaled_and_not_clipped(self) -> None:
        ramp = np.arange(64 * 64, dtype=np.uint16).reshape(64, 64) * 16
        for suffix in (".png", ".tiff"):
            grey = decode_bytes(encoded_deep(suffix, ramp)).pixels
            assert np.array_equal(grey, np.repeat(np.round(ramp / 257)[..., None], 3, 2))
            colour = decode_bytes(encoded_deep(suffix, np.dstack([ramp, ramp // 2, ramp // 4]))).pixels
            assert np.abs(colour - np.dstack([ramp // 4, ramp // 2, ramp]) / 257).max() <= 1

    def test_transparency_is_laid_over_the_background(self) -> None:
        picture = small_picture()
        alpha = Image.linear_gradient("L").resize(picture.size)
        picture.putalpha(alpha)
        a = np.asarray(alpha)[..., None] / 255
        expected = np.asarray(picture)[..., :3] * a + np.array([10, 200, 30]) * (1 - a)
        for data in (encoded(picture, "PNG"), encoded(picture, "WEBP", lossless=True, exact=True)):
            assert np.abs(decode_bytes(data, background=(10, 200, 30)).pixels - expected).max() <= 1

    @pytest.mark.parametrize("mode", ["P", "LA", "L", "RGB"])
    def test_transparency_of_every_kind(self, mode: str) -> None:
        picture = Image.new("L", (64, 64), 90)
        picture.paste(200, (0, 0, 64, 32))
        if mode == "LA":
            picture = Image.merge("LA", [picture, picture.point(lambda v: 255 if v == 90 else 0)])
        else:
            picture = picture.convert(mode)
        transparent = {"P": 200, "L": 200, "RGB": (200, 200, 200)}
        options = {"transparency": transparent[mode]} if mode in transparent else {}
        pixels = decode_bytes(encoded(picture, "PNG", **options), background=(1, 2, 3)).pixels
        assert (pixels[:32] == (1, 2, 3)).all()
        assert (pixels[32:] == 90).all()

    def test_black_and_white(self) -> None:
        picture = small_picture().convert("1")
        pixels = decode_bytes(encoded(picture, "TIFF", compression="group4")).pixels
        assert np.array_equal(pixels, np.asarray(picture.convert("RGB")))

    def test_ink_follows_the_formula(self) -> None:
        ink = np.asarray(small_picture().convert("CMYK")).astype(int)
        ink[..., 3] = 40
        data = encoded(Image.fromarray(ink.astype(np.uint8), mode="CMYK"), "TIFF")
        expected = (255 - ink[..., :3]) * (255 - ink[..., 3:]) / 255
        assert np.abs(decode_bytes(data).pixels - expected).max() <= 1


def with_focal(tags: dict[int, Any], width: int = 120, height: int = 80, kind: str = "JPEG") -> float | None:
    exif = Image.Exif()
    exif[ExifTags.IFD.Exif] = tags
    return decode_bytes(encoded(small_picture(width, height), kind, exif=exif.tobytes())).focal_px


class TestFocal:
    FILM, FOCAL, RESOLUTION, UNIT, TAKEN_X, TAKEN_Y = 0xA405, 0x920A, 0xA20E, 0xA210, 0xA002, 0xA003

    @pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
    def test_film_equivalent(self, kind: str) -> None:
        assert with_focal({self.FILM: 50}, kind=kind) == pytest.approx(50 / 36 * 120)
        assert with_focal({self.FILM: 50}, 80, 120, kind=kind) == pytest.approx(50 / 36 * 120)

    def test_sensor_resolution(self) -> None:
        """A 6 mm lens on a sensor 5 mm wide with 120 pixels, in each unit."""
        for unit, mm in ((2, 25.4), (3, 10), (4, 1)):
            tags = {self.FOCAL: 6.0, self.RESOLUTION: 24 * mm, self.UNIT: unit}
            assert with_focal(tags) == pytest.approx(6 / 5 * 120)

    def test_sensor_resolution_of_a_picture_made_smaller_since(self) -> None:
        tags = {self.FOCAL: 6.0, self.RESOLUTION: 9600.0, self.UNIT: 3}
        assert with_focal(tags | {self.TAKEN_X: 4800, self.TAKEN_Y: 3200}) == pytest.approx(6 / 5 * 120)

    def test_film_equivalent_is_asked_first(self) -> None:
        tags = {self.FILM: 36, self.FOCAL: 6.0, self.RESOLUTION: 240.0, self.UNIT: 3}
        assert with_focal(tags) == pytest.approx(120)
        assert with_focal(tags | {self.FILM: 0}) == pytest.approx(6 / 5 * 120)

    @pytest.mark.parametrize(
        "tags",
        [{}, {0xA405: 0}, {0xA405: 65535}, {0xA405: "fifty"}, {0x920A: 6.0}, {0x920A: (6, 0), 0xA20E: (1, 0)}],
        ids=str,
    )
    def test_nonsense_counts_as_none(self, tags: dict[int, Any]) -> None:
        assert with_focal(tags) is None


def mutated(data: bytes, rng: np.random.Generator) -> bytes:
    """`data` with some bytes changed, cut out or put in, mostly near its head."""
    out = bytearray(data)
    for _ in range(rng.integers(1, 5)):
        at = int(rng.integers(len(out) if rng.random() < 0.5 else min(len(out), 300)))
        out[at : at + int(rng.choice([1, 1, 1, 30]))] = rng.bytes(int(rng.choice([1, 1, 1, 0, 30])))
    return bytes(out[: rng.integers(1, len(out))] if rng.random() < 0.2 else out)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "GIF", "BMP", "AVIF", "HEIF"])
def test_no_bytes_raise_anything_but_a_reject(kind: str) -> None:
    if (kind == "AVIF" and not features.check("avif")) or (kind == "HEIF" and not has_heif()):
        pytest.skip("no encoder here")
    icc = in_profile(small_picture(), DISPLAY_P3)[1] if kind in ("JPEG", "PNG", "WEBP") else None
    exif = turned(small_picture(), 6)[1]
    data = encoded(small_picture(64, 48), kind, **({"icc_profile": icc, "exif": exif} if icc else {}))
    rng = np.random.default_rng(0)
    reasons = {reason_of(mutated(data, rng), max_pixels=1_000_000) for _ in range(150)}
    assert reasons <= {reason.name for reason in REASONS} | {"accepted"}
    assert reasons & {"truncated", "corrupt"}
