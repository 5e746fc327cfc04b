"""`write_film`: frames to a video that was not there."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from numpy import uint8
from numpy.typing import NDArray

from phq.errors import MissingExtraError
from phq.generator.train.preview import save_video
from phq.generator.use.outputs import check_free, check_suffix
from phq.system.bars import bar


def write_film(out: str | Path, frames: Iterable[NDArray[uint8]], count: int, fps: int, quiet: bool) -> Path:
    """Write an H.264 file.

    Args:
        out: file to write, NAME.mp4.
        frames: H × W × 3, RGB; none is asked for before the name is found good.
        count: of the frames.
        fps: frames a second.
        quiet: no progress bar.

    Raises:
        OutputError: the file is there already, is not called .mp4, or cannot be written.
        MissingExtraError: imageio-ffmpeg is not installed.
    """
    path = Path(out)
    check_suffix(path, ".mp4")
    check_free([path])
    if not save_video(path, iter(bar(frames, total=count, unit="frame", quiet=quiet)), fps):
        raise MissingExtraError("imageio-ffmpeg", "train", "writing a video")
    return path
