"""Recorded names of photos that are parts of one file: frames of a video, rows of a table."""

from __future__ import annotations

import re

MARK = "#t="
"""Stands before the time in the name of a frame."""
_ROW = "#row="
_FRAME = re.compile(rf"^(?P<video>.+){MARK}(?P<seconds>\d+\.\d{{3}})$")


def frame_name(video: str, seconds: float) -> str:
    """Name of a frame: the video's and the time, as a media fragment (W3C Media Fragments URI 1.0 §4.2.1)."""
    return f"{video}{MARK}{seconds:.3f}"


def frame_of(name: str) -> tuple[str, float] | None:
    """Video and seconds of a frame's name; None if it is not one."""
    found = _FRAME.match(name)
    return (found["video"], float(found["seconds"])) if found else None


def row_name(table: str, number: int) -> str:
    """Name of a row of a table, from 0, with a fragment as RFC 7111 writes it."""
    return f"{table}{_ROW}{number}"


def file_of(name: str) -> str:
    """Recorded name of the video or table that a photo is a part of; the name itself where it is a file."""
    frame = frame_of(name)
    table, mark, number = name.rpartition(_ROW)
    return frame[0] if frame else table if mark and number.isdigit() else name
