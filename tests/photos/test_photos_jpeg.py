"""Valid JPEGs of unusual structure are read in full; a missing block is never filled up in silence."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import pytest
from bundled_photos import FOLDER
from encoded_pictures import encoded, small_picture
from PIL import Image

from phq.photos.decode import PhotoRejectError, decode_bytes
from phq.photos.jpeg_blocks import are_all_there
from phq.photos.jpeg_layout import read_layout

KINDS: list[tuple[str, dict[str, Any]]] = [
    ("RGB", {}),
    ("RGB", {"subsampling": 0, "quality": 97}),
    ("RGB", {"optimize": True, "restart_marker_rows": 1}),
    ("RGB", {"progressive": True}),
    ("RGB", {"progressive": True, "restart_marker_blocks": 3}),
    ("L", {}),
    ("L", {"progressive": True}),
    ("CMYK", {}),
]
TRAILERS = {
    "nothing": b"",
    "a fill byte": b"\xff",
    "zeros": bytes(2000),
    "ones": b"\xff" * 2000,
    "text": b"SEFH of a panorama, written by its maker; " * 20,
    "bytes without a marker": bytes(b for b in np.random.default_rng(5).bytes(2000) if b != 255),
    "bytes": np.random.default_rng(3).bytes(2000),
    "another JPEG": encoded(small_picture(40, 40), "JPEG"),
}


def jpeg(mode: str = "RGB", **options: Any) -> bytes:
    return encoded(small_picture(83, 61).convert(mode), "JPEG", **options)


def same(data: bytes, whole: bytes) -> bool:
    return np.array_equal(decode_bytes(data).pixels, decode_bytes(whole).pixels)


def reason_of(data: bytes) -> str:
    with pytest.raises(PhotoRejectError) as reject:
        decode_bytes(data)
    return reject.value.reason


@pytest.mark.parametrize(("mode", "options"), KINDS, ids=str)
class TestUnusualButWhole:
    def test_fill_bytes_before_every_marker(self, mode: str, options: dict[str, Any]) -> None:
        whole = jpeg(mode, **options)
        filled, at = b"", 0
        for segment in read_layout(whole).segments:
            before = segment.start - (2 if segment.marker == 0xD9 else 4)
            filled, at = filled + whole[at:before] + b"\xff\xff\xff", before
        assert same(filled + whole[at:], whole)

    @pytest.mark.parametrize("trailer", TRAILERS)
    def test_no_end_marker(self, mode: str, options: dict[str, Any], trailer: str) -> None:
        whole = jpeg(mode, **options)
        assert same(whole[:-2] + TRAILERS[trailer], whole)

    @pytest.mark.parametrize("trailer", TRAILERS)
    def test_more_behind_the_end(self, mode: str, options: dict[str, Any], trailer: str) -> None:
        whole = jpeg(mode, **options)
        assert same(whole + TRAILERS[trailer], whole)


@pytest.mark.parametrize(("mode", "options"), KINDS, ids=str)
@pytest.mark.parametrize("trailer", ["nothing", "text", "zeros", "ones", "another JPEG"])
def test_a_missing_block_stays_truncated(mode: str, options: dict[str, Any], trailer: str) -> None:
    whole = jpeg(mode, **options)
    for cut in range(150, len(whole) - 800, (len(whole) - 800) // 5):
        assert reason_of(whole[:-cut] + TRAILERS[trailer]) in ("truncated", "corrupt")


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"optimize": True, "quality": 30}], ids=str)
@pytest.mark.parametrize("fill", [0, 255])
def test_few_missing_bytes_are_not_taken_from_what_fills_the_file(options: dict[str, Any], fill: int) -> None:
    """As an interrupted download or a worn memory card leaves a file of the full size."""
    whole = jpeg(**options)
    for cut in range(4, 40):
        assert reason_of(whole[:-cut] + bytes([fill]) * 3000) in ("truncated", "corrupt")


def test_few_cuts_pass_with_noise_behind_them() -> None:
    """Noise decodes to blocks; what gives it away are impossible ones, and bits behind the last that are not ones."""
    whole, rng = jpeg(), np.random.default_rng(9)
    layout = read_layout(whole)
    passed = 0
    for _ in range(60):
        data = whole[: -int(rng.integers(100, 700))] + rng.bytes(2500).replace(b"\xff", b"")
        passed += are_all_there(data, read_layout(data), 1)
    assert are_all_there(whole, layout, 1)
    assert passed <= 3


@pytest.mark.parametrize("options", [{"quality": 75}, {"quality": 90, "optimize": True}], ids=str)
def test_last_blocks_unlike_the_others_are_noise_behind_a_cut(options: dict[str, Any]) -> None:
    """Of a hundredth of the data cut off, none passes; as many whole photos with the same noise behind them all do."""
    rng, passed = np.random.default_rng(4), 0
    with Image.open(FOLDER / "scikit-image-0.26.0__astronaut.png") as opened:
        whole = encoded(opened.convert("RGB").resize((300, 300)), "JPEG", **options)
    scan = read_layout(whole).scans[0]
    start, end = scan.start, scan.end
    for _ in range(12):
        noise = rng.bytes(3000).replace(b"\xff", b"")
        cut = whole[: end - (end - start) // 100] + noise
        passed += are_all_there(cut, read_layout(cut), 1)
        sound = whole[:end] + noise
        assert are_all_there(sound, read_layout(sound), 1)
    assert not passed


@pytest.mark.parametrize(
    ("name", "part"), [("face_recognition-1.3.0__obama.jpg", 0.9), ("pose2sim-0.10.49__Single_cam2_f090.jpg", 0.8)]
)
def test_a_photo_may_end_busier_than_it_began(name: str, part: float) -> None:
    """Flat walls above, clothes or a floor below, are no sign of noise."""
    with Image.open(FOLDER / name) as opened:
        opened.thumbnail((400, 400))
        whole = encoded(opened.crop((0, 0, opened.width, int(opened.height * part))), "JPEG", quality=92)
    scan = read_layout(whole).scans[0]
    noise = np.random.default_rng(4).bytes(4000).replace(b"\xff", b"")
    assert same(whole[: scan.end] + noise, whole)
    cut = (scan.end - scan.start) // 100
    assert reason_of(whole[: scan.end - cut] + noise) in ("truncated", "corrupt")


def test_lines_stated_behind_the_picture() -> None:
    """DNL (ITU-T T.81 §B.2.5): the frame states 0 lines, a segment behind the first scan the number."""
    whole = jpeg()
    at = whole.index(b"\xff\xc0")
    data = whole[: at + 5] + b"\0\0" + whole[at + 7 : -2] + b"\xff\xdc\0\4" + struct.pack(">H", 61) + whole[-2:]
    assert same(data, whole)
    assert same(data[:-2], whole)


@pytest.mark.parametrize(
    ("marker", "detail"),
    [(0xC3, "lossless"), (0xC5, "hierarchical"), (0xCB, "lossless"), (0xDE, "hierarchical"), (0xF7, "JPEG-LS")],
)
def test_processes_no_photo_uses_are_named(marker: int, detail: str) -> None:
    data = jpeg().replace(b"\xff\xc0", bytes((0xFF, marker)))
    with pytest.raises(PhotoRejectError, match=f"unsupported_format: .*{detail}"):
        decode_bytes(data)


def test_depth_and_components_are_named() -> None:
    whole = jpeg()
    at = whole.index(b"\xff\xc0")
    with pytest.raises(PhotoRejectError, match="unsupported_format: a JPEG of 12 bits a sample"):
        decode_bytes(whole[: at + 4] + b"\x0c" + whole[at + 5 :])
    two = whole[: at + 2] + b"\0\x0e" + whole[at + 4 : at + 9] + b"\2" + whole[at + 10 : at + 16] + whole[at + 19 :]
    with pytest.raises(PhotoRejectError, match="unsupported_format: a JPEG of 2 components"):
        decode_bytes(two)


def test_blocks_of_arithmetic_coding_are_not_seen() -> None:
    data = jpeg().replace(b"\xff\xc0", b"\xff\xc9")
    assert not are_all_there(data, read_layout(data), 1)


def test_tables_that_are_missing_or_damaged_are_no_proof() -> None:
    data = jpeg()
    without = data.replace(b"\xff\xc4", b"\xff\xe9")
    assert are_all_there(data, read_layout(data), 1)
    assert not are_all_there(without, read_layout(without), 1)
