"""Frames of videos: which, at which time, upright, in the right colours."""

from __future__ import annotations

import hashlib
import shutil
import sys
import zipfile
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("av")

from video_files import CORNERS, corners, level_of, seen_corners, write_video

from phq.config.build import Video
from phq.errors import InputError
from phq.photos.contents import photos_of
from phq.photos.decode import PhotoRejectError
from phq.photos.discover import Found
from phq.photos.frame_names import frame_of

W, H = 128, 96
UPRIGHT = list(CORNERS)


def clip(path: Path, count: int = 30, **options) -> Path:
    """Ten frames a second; the grey square of frame n is 8 n."""
    return write_video(path, [corners(W, H, 8 * n) for n in range(count)], **options)


def names(found: list[Found]) -> list[str]:
    return [photo.name for photo in found]


def test_frames_at_a_rate_are_named_by_their_time(tmp_path: Path) -> None:
    video = clip(tmp_path / "a.mp4")
    assert names(photos_of(video)) == ["a.mp4#t=0.000", "a.mp4#t=1.000", "a.mp4#t=2.000"]
    assert names(photos_of(video, Video(fps=4)))[:4] == [f"a.mp4#t={t}" for t in ("0.000", "0.300", "0.500", "0.800")]
    assert len(photos_of(video, Video(fps=1000))) == 30
    assert frame_of("sub/a.mp4#t=12.480") == ("sub/a.mp4", 12.48)
    assert frame_of("a#t=1.jpg") is None


def test_a_folder_of_videos_and_photos(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    clip(tmp_path / "sub" / "b.mov", 11)
    (tmp_path / "a.jpg").write_bytes(b"x")
    (tmp_path / "c.mp4").write_bytes(b"no video")
    assert names(photos_of(tmp_path)) == ["a.jpg", "c.mp4", "sub/b.mov#t=0.000", "sub/b.mov#t=1.000"]


def test_a_video_that_is_gone_is_a_reject_like_any_photo(tmp_path: Path) -> None:
    (found,) = photos_of(clip(tmp_path / "a.mp4", 1))
    found.path.unlink()
    with pytest.raises(PhotoRejectError) as reject:
        found.decode()
    assert (reject.value.reason, reject.value.sha256, found.sha256()) == ("missing_file", "", "")


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "mov", "avi"])
def test_frames_in_any_order_are_those_of_their_times(tmp_path: Path, suffix: str) -> None:
    codec = "mpeg4" if suffix == "avi" else "libx264"
    video = clip(tmp_path / f"a.{suffix}", codec=codec, options={"g": "12", "bf": "0" if suffix == "avi" else "3"})
    found = photos_of(video, Video(fps=10))
    assert len(found) == 30
    in_order = [photo.decode().pixels for photo in found]
    levels = [level_of(pixels) for pixels in in_order]
    assert levels == pytest.approx([8 * n for n in range(30)], abs=12 if suffix == "avi" else 5)
    shuffled = np.random.default_rng(0).permutation(30).tolist()
    assert all(np.array_equal(found[n].decode().pixels, in_order[n]) for n in shuffled)


def test_times_of_a_variable_frame_rate_are_the_container_s(tmp_path: Path) -> None:
    times = [0, 1, 7, 23, 24, 60]
    video = write_video(tmp_path / "a.mkv", [corners(W, H, 40 * n) for n in range(6)], times)
    found = photos_of(video)
    assert names(found) == ["a.mkv#t=0.000", "a.mkv#t=2.300", "a.mkv#t=6.000"]
    assert [level_of(photo.decode().pixels) for photo in found] == pytest.approx([0, 120, 200], abs=5)


TURNS = {
    (0, False): UPRIGHT,
    (90, False): ["top right", "bottom right", "top left", "bottom left"],
    (180, False): ["bottom right", "bottom left", "top right", "top left"],
    (-90, False): ["bottom left", "top left", "bottom right", "top right"],
    (0, True): ["top right", "top left", "bottom right", "bottom left"],
    (90, True): ["bottom right", "top right", "bottom left", "top left"],
}


@pytest.mark.parametrize(("turn", "seen"), TURNS.items())
def test_frames_are_turned_and_mirrored_as_the_container_states(tmp_path: Path, turn, seen: list[str]) -> None:
    (found, *_) = photos_of(clip(tmp_path / "a.mp4", 3, rotation=turn[0], mirrored=turn[1]))
    pixels = found.decode().pixels
    assert pixels.shape == ((W, H, 3) if abs(turn[0]) == 90 else (H, W, 3))
    assert seen_corners(pixels) == seen


def test_pixels_that_are_not_square_become_square(tmp_path: Path) -> None:
    (found, *_) = photos_of(clip(tmp_path / "a.mp4", 3, aspect=Fraction(4, 3)))
    pixels = found.decode().pixels
    assert pixels.shape == (H, round(W * 4 / 3), 3)
    assert seen_corners(pixels) == UPRIGHT


@pytest.mark.parametrize(
    ("width", "height", "encoded_as", "stated"),
    [(128, 96, 5, False), (1280, 720, 1, False), (128, 96, 1, True), (1280, 720, 5, True)],
)
def test_colours_by_the_stated_matrix_or_by_the_lines(tmp_path, width, height, encoded_as, stated) -> None:
    colours = {"colorspace": encoded_as}
    video = write_video(tmp_path / "a.mp4", [corners(width, height)] * 2, colours=colours)
    if not stated:  # the same stream without its statement
        video = write_video(tmp_path / "b.mp4", [corners(width, height)] * 2, codec="mpeg4", colours=colours)
    (found, *_) = photos_of(video)
    pixels = found.decode().pixels
    for (y, x), name in zip([(0, 0), (0, 1), (1, 0), (1, 1)], CORNERS, strict=True):
        spot = pixels[height // 8 + y * 3 * height // 4, width // 8 + x * 3 * width // 4].astype(int)
        assert np.abs(spot - CORNERS[name]).max() <= 6


def test_a_video_of_high_dynamic_range_is_refused(tmp_path: Path) -> None:
    (found, *_) = photos_of(clip(tmp_path / "a.mp4", 3, colours={"color_trc": 18}))
    with pytest.raises(PhotoRejectError, match=r"unsupported_colour.*HLG"):
        found.decode()


def test_only_frames_that_changed(tmp_path: Path) -> None:
    scenes = [corners(W, H, 0)] * 10 + [np.full((H, W, 3), 200, np.uint8)] * 10 + [corners(W, H, 0)] * 10
    video = write_video(tmp_path / "a.mp4", scenes)
    assert names(photos_of(video, Video(fps=10, change=10))) == [f"a.mp4#t={t}.000" for t in (0, 1, 2)]


def test_the_hash_is_that_of_the_file_and_the_time(tmp_path: Path) -> None:
    video = clip(tmp_path / "a.mp4", 12)
    whole = hashlib.sha256(video.read_bytes()).hexdigest()
    found = photos_of(video)[1]
    expected = hashlib.sha256(f"{whole}#t=1.000".encode()).hexdigest()
    assert found.sha256() == found.decode().sha256 == expected
    moved = shutil.copy(video, tmp_path / "b.mp4")
    assert photos_of(moved)[1].sha256() == expected


def test_a_cut_video_gives_the_frames_that_are_there(tmp_path: Path) -> None:
    whole = clip(tmp_path / "whole.mkv", options={"g": "5"}).read_bytes()
    (tmp_path / "cut.mkv").write_bytes(whole[: len(whole) // 2])
    found = photos_of(tmp_path / "cut.mkv", Video(fps=10))
    assert 5 < len(found) < 25
    assert level_of(found[3].decode().pixels) == pytest.approx(24, abs=5)
    clip(tmp_path / "a.mp4")
    (tmp_path / "cut.mp4").write_bytes((tmp_path / "a.mp4").read_bytes()[:3000])  # its index is at its end
    with pytest.raises(InputError, match="cut off before its index"):
        photos_of(tmp_path / "cut.mp4")


def test_without_the_package_a_video_is_a_reject_and_alone_an_error(tmp_path: Path, monkeypatch) -> None:
    clip(tmp_path / "a.mp4", 3)
    (tmp_path / "b.jpg").write_bytes(b"x")
    monkeypatch.setitem(sys.modules, "av", None)
    (found, _) = photos_of(tmp_path)
    with pytest.raises(PhotoRejectError, match=r"decoder_missing.*pip install 'phq\[video\]'"):
        found.decode()
    with pytest.raises(InputError, match=r"reading videos needs the package 'av'"):
        photos_of(tmp_path / "a.mp4")


def test_of_several_streams_the_largest_is_the_video(tmp_path: Path) -> None:
    """Recorders put a small preview beside it, often first."""
    import av

    sizes = (32, 32), (96, 80)
    with av.open(str(tmp_path / "two.mkv"), "w") as container:
        for width, height in sizes:
            stream = container.add_stream("ffv1", rate=1)
            stream.width, stream.height, stream.pix_fmt = width, height, "yuv444p"
        for stream, size in zip(container.streams.video, sizes, strict=True):
            frame = av.VideoFrame.from_ndarray(corners(*size), "rgb24")
            frame.pts, frame.time_base = 0, Fraction(1, 1)
            for packet in (*stream.encode(frame), *stream.encode()):
                container.mux(packet)
    assert [photo.decode().pixels.shape for photo in photos_of(tmp_path / "two.mkv")] == [(80, 96, 3)]


def test_a_video_inside_an_archive_says_what_to_do(tmp_path: Path) -> None:
    write_video(tmp_path / "a.mp4", [corners(64, 64)])
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.write(tmp_path / "a.mp4", "a.mp4")
    with pytest.raises(PhotoRejectError, match="unpack it"):
        photos_of(tmp_path / "a.zip")[0].decode()
