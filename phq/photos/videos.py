"""Frames of videos, upright and in sRGB, by their time.

FFmpeg, through PyAV (extra ``video``), demuxes and decodes. The rest is here: which frames, the display matrix of the
container (ISO/IEC 14496-12 §8.3.2), pixels that are not square, and the matrix of the colours.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from phq.config.build import Video
from phq.errors import MissingExtraError, RejectError
from phq.photos.colour import Colour
from phq.photos.decode import Decoded, PhotoRejectError, check_size
from phq.photos.entry import version_of
from phq.system.arrays import Image
from phq.system.atomic import raise_disk_failure

SUFFIXES = (
    ".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".mts", ".m2ts", ".ts", ".3gp", ".wmv", ".flv",
    ".ogv",
)  # fmt: skip
"""Names that make a file in a folder worth a look; its content decides."""
_STARTS = (
    (0, b"\x1aE\xdf\xa3"), (0, b"\0\0\1\xba"), (0, b"\0\0\1\xb3"), (0, b"FLV"), (0, b"OggS"), (8, b"AVI "),
    (0, b"\x30\x26\xb2\x75"), (0, b"G"), (4, b"G"), (4, b"moov"), (4, b"mdat"), (4, b"wide"), (4, b"free"),
)  # fmt: skip
_STILLS = (b"avif", b"avis", b"heic", b"heix", b"heim", b"heis", b"mif1", b"msf1", b"crx ")
"""Brands of ISO media files that are photos."""
_HDR = {16: "PQ", 18: "HLG"}
"""Transfer functions (ITU-T H.273 table 3) that mean high dynamic range."""
_BT709, _BT601, _UNSTATED = 1, 5, 2
"""Matrices of colours (ITU-T H.273 table 4); 5 as FFmpeg's swscale calls BT.601."""
_HD_LINES = 720
"""Lines from which a video that states no matrix is BT.709, as players take it."""
_NO_VIDEO = "a media file without a video that FFmpeg can decode, or cut off before its index"
_PEEK = 16
"""Side of the grey picture by which frames are compared."""


@dataclass(frozen=True)
class Frame:
    """A frame of a video."""

    pts: int
    """Presentation time in units of the stream."""
    seconds: float
    """The same in seconds from the container's start."""

    def decode(self, file: Path, max_pixels: int, background: Colour, max_bytes: int) -> Decoded:
        """See `phq.photos.entry.Entry`."""
        sha256 = self.sha256(file)
        try:
            reader = _reader(file)
            check_size(*reader.size, max_pixels)
            pixels = reader.frame(self.pts)
        except RejectError as error:
            raise PhotoRejectError(error.reason, error.detail, sha256) from error
        return Decoded(pixels, sha256, None, "VIDEO")

    def sha256(self, file: Path) -> str:
        """sha256 of the text ``SHA256#t=SECONDS``, SHA256 being the file's: the same whatever decodes it."""
        return hashlib.sha256(f"{_digest(file)}#t={self.seconds:.3f}".encode()).hexdigest()


def may_be_video(start: bytes, name: str) -> bool:
    """Whether the first bytes of a file are those of a video.

    Args:
        start: at least 16 bytes.
        name: of the file; formats whose first bytes are hardly characteristic are looked for under their suffixes only.
    """
    if start[4:8] == b"ftyp":
        return start[8:12] not in _STILLS
    by_name = name.lower().endswith(SUFFIXES)
    return by_name and any(start[at : at + len(magic)] == magic for at, magic in _STARTS)


def list_frames(file: Path, video: Video | None = None) -> list[Frame]:
    """The frames of a video that are photos, in order of time.

    Of each interval of 1/`fps` seconds from the container's start the first frame. With `change` only those of them
    whose 16 × 16 grey picture differs from that of the last one taken by at least so many levels on average; then all
    is decoded to list it.

    Args:
        file: the video.
        video: by default one frame a second.

    Raises:
        RejectError: decoder_missing, corrupt, unsupported_format (no video) or unsupported_colour (HDR).
    """
    options, reader = video or Video(), _reader(file)
    frames = list(_at_rate(reader, Fraction(str(options.fps))))
    if not frames:
        raise RejectError("corrupt", "a video without a frame that can be read")
    return list(_changed(reader, frames, options.change)) if options.change else frames


def _at_rate(reader: _Reader, fps: Fraction) -> Iterator[Frame]:
    last = None
    for pts in reader.times():
        seconds = reader.seconds(pts)
        number = seconds * fps // 1
        if number != last and seconds >= 0:
            yield Frame(pts, round(float(seconds), 3))
            last = number


def _changed(reader: _Reader, frames: list[Frame], levels: float) -> Iterator[Frame]:
    last: Any = None
    for frame in frames:
        try:
            seen = reader.peek(frame.pts)
        except RejectError:  # its own reject says why
            yield frame
            continue
        if last is None or np.abs(seen - last).mean() >= levels:
            yield frame
            last = seen


def _digest(file: Path) -> str:
    return _digest_of(file, version_of(file))


@lru_cache(64)
def _digest_of(file: Path, version: object) -> str:
    with file.open("rb") as stream:
        whole = hashlib.sha256()
        while part := stream.read(1 << 20):
            whole.update(part)
    return whole.hexdigest()


def _reader(file: Path) -> _Reader:
    return _open_reader(file, version_of(file))


@lru_cache(2)
def _open_reader(file: Path, version: object) -> _Reader:
    return _Reader(file)


@dataclass
class _Reader:
    """An open video. Frames that are asked for in order are decoded once; for others it goes back to a key frame."""

    file: Path
    container: Any = field(init=False)
    stream: Any = field(init=False)

    def __post_init__(self) -> None:
        try:
            import av
        except ImportError:
            raise RejectError("decoder_missing", str(MissingExtraError("av", "video", "reading videos"))) from None
        self._errors: tuple[type[Exception], ...] = (av.FFmpegError, OSError, ValueError)
        try:
            self.container = av.open(self.file.open("rb"), metadata_errors="replace")
            videos = [s for s in self.container.streams.video if s.codec_context is not None and not _is_cover(s)]
            self.stream = max(videos, key=lambda s: s.width * s.height, default=None)  # another may be a preview
        except self._errors as error:
            raise_disk_failure(error)
            raise RejectError("corrupt", f"FFmpeg cannot open it: {_message(error)}") from error
        if self.stream is None:
            raise RejectError("unsupported_format", _NO_VIDEO)
        self.stream.codec_context.thread_count = 1
        self._decoded: Iterator[Any] = iter(())
        self._last = -1
        self._key_times: list[int] = []

    @property
    def size(self) -> tuple[int, int]:
        """Width and height as stored, pixels."""
        return self.stream.width, self.stream.height

    def seconds(self, pts: int) -> Fraction:
        """Time of a frame from the container's start, as players show it."""
        start = Fraction(self.container.start_time or 0, 1_000_000)
        return pts * Fraction(self.stream.time_base) - start

    def times(self) -> list[int]:
        """Presentation times of all frames, ascending, without decoding any."""
        times = []
        try:
            self.container.seek(0, backward=True, any_frame=False)
            for packet in self.container.demux(self.stream):
                if packet.pts is not None and packet.size and not packet.is_discard:
                    times.append(packet.pts)
        except self._errors as error:  # what is cut off has no frames
            raise_disk_failure(error)
        self._last = -1
        return sorted(set(times))

    def frame(self, pts: int) -> Image:
        """H × W × 3 RGB, upright, pixels square.

        Raises:
            RejectError: truncated, corrupt, unsupported_format or unsupported_colour.
        """
        return _upright(self._found(pts), self.stream.sample_aspect_ratio)

    def peek(self, pts: int) -> Any:
        """16 × 16 means of the grey levels, for comparison."""
        grey = self._found(pts).to_ndarray(format="gray")
        return cv2.resize(grey, (_PEEK, _PEEK), interpolation=cv2.INTER_AREA).astype(np.int16)

    def _found(self, pts: int) -> Any:
        """The decoded frame; first forwards from the last one or from a key frame, else from the beginning."""
        for start in self._ways(pts):
            found = self._forward(pts, start)
            if found is not None and not found.is_corrupt:
                return found
        raise RejectError("truncated" if found is None else "corrupt", "this frame of the video cannot be decoded")

    def _ways(self, pts: int) -> Iterator[int | None]:
        if 0 <= self._last < pts and self.seconds(pts) - self.seconds(self._last) <= _NEAR_S:
            yield None
        yield pts
        yield 0

    def _forward(self, pts: int, start: int | None) -> Any:
        try:
            if start is not None:
                self.container.seek(start, stream=self.stream, backward=True)
                self._decoded = self.container.decode(self.stream)
            for frame in self._decoded:
                if frame.pts is None:
                    continue
                self._last = frame.pts
                if frame.pts >= pts:
                    return frame if frame.pts == pts else None
        except self._errors:
            self._last = -1
        return None


_NEAR_S = 10
"""Seconds up to which going on is cheaper than looking for a key frame."""


def _is_cover(stream: Any) -> bool:
    return bool(stream.disposition & type(stream.disposition).attached_pic)


def _message(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error)[:200]


def _upright(frame: Any, aspect: Fraction | None) -> Image:
    if frame.color_trc in _HDR:
        raise RejectError("unsupported_colour", f"a video of high dynamic range ({_HDR[frame.color_trc]})")
    matrix = frame.colorspace
    if matrix in (_UNSTATED, 0) and "rgb" not in frame.format.name and "gbr" not in frame.format.name:
        matrix = _BT709 if frame.height >= _HD_LINES else _BT601
    pixels = frame.to_ndarray(format="rgb24", src_colorspace=matrix)
    return np.ascontiguousarray(turned(_square(pixels, aspect), _display_matrix(frame)))


def _square(pixels: Image, aspect: Fraction | None) -> Image:
    """With as many columns as square pixels make."""
    height, width = pixels.shape[:2]
    wide = round(width * aspect) if aspect else width
    if wide == width or not 1 <= wide <= 8 * width:
        return pixels
    how = cv2.INTER_AREA if wide < width else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(pixels, (wide, height), interpolation=how), np.uint8)


def _display_matrix(frame: Any) -> tuple[int, int, int, int]:
    """The four numbers a, b, c, d of x′ = ax + cy, y′ = bx + dy."""
    for side in frame.side_data:
        if side.type.name == "DISPLAYMATRIX":
            a, b, _, c, d, *_ = np.frombuffer(bytes(side), np.int32).tolist()
            return a, b, c, d
    return 1, 0, 0, 1


def turned(pixels: Image, matrix: tuple[int, int, int, int]) -> Image:
    """The picture as a display matrix shows it, to the nearest quarter turn, mirrored or not."""
    a, b, c, d = matrix
    across = abs(c) + abs(b) > abs(a) + abs(d)
    x, y = (c, b) if across else (a, d)
    seen = pixels.swapaxes(0, 1) if across else pixels
    return seen[:: -1 if y < 0 else 1, :: -1 if x < 0 else 1]
