"""People who are followed from frame to frame of a video."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np

from phq.decisions.split_groups import linked
from phq.detect.boxes import iou
from phq.photos.frame_names import frame_of
from phq.system.arrays import Doubles, Ints

LONGEST_GAP_S = 10.0
"""Seconds up to which two frames are neighbours."""
OVERLAP = 0.3
"""Least intersection over union of the boxes of one person in two neighbouring frames."""
SAME_CLOTHES = 12.0
"""Largest distance of the clothes' mean colours in L*a*b*; a cut to another person in the same place is farther."""
CLOTHES = 1
"""Region of `phq.quality.appearance`."""


def tracks(paths: Sequence[str], boxes: Doubles, looks: Doubles, people: Ints) -> Ints:
    """(N,) the same number for samples of one person in consecutive frames of a video, −1 for any other sample.

    From frame to frame the pairs of boxes that overlap most are joined, if the clothes have the same colour and the
    two are not stated to be different people.

    Args:
        paths: recorded names of the N photos.
        boxes: (N, 4) in photo pixels.
        looks: (N, regions, 6) of `phq.quality.appearance`.
        people: (N,) number of the stated name, 0 without one.
    """
    pairs = [pair for frames in _videos(paths) for pair in _followed(frames, boxes, looks, people)]
    one, other = (np.array(ends, np.int64) for ends in zip(*pairs, strict=True)) if pairs else (np.zeros(0, int),) * 2
    numbers = linked(one, other, len(paths))
    alone = np.ones(len(paths), bool)
    alone[np.concatenate([one, other])] = False
    return np.where(alone, -1, numbers)


def _videos(paths: Sequence[str]) -> Iterator[list[tuple[float, list[int]]]]:
    """Of each video the frames in order, as time and rows."""
    videos: defaultdict[str, defaultdict[float, list[int]]] = defaultdict(lambda: defaultdict(list))
    for row, path in enumerate(paths):
        if (frame := frame_of(path)) is not None:
            videos[frame[0]][frame[1]].append(row)
    for frames in videos.values():
        yield sorted(frames.items())


def _followed(
    frames: list[tuple[float, list[int]]], boxes: Doubles, looks: Doubles, people: Ints
) -> Iterator[tuple[int, int]]:
    """Pairs of rows of one person."""
    for (time, before), (later, after) in pairwise(frames):
        if later - time > LONGEST_GAP_S:
            continue
        overlap = iou(boxes[before], boxes[after])
        colours = looks[:, CLOTHES, :3]
        apart = np.linalg.norm(colours[before][:, None] - colours[after][None], axis=2)
        named = people[before][:, None] * people[after][None] > 0
        other = named & (people[before][:, None] != people[after][None])
        overlap = np.where((apart <= SAME_CLOTHES) & ~other, overlap, 0.0)
        while overlap.size and overlap.max() >= OVERLAP:
            i, j = np.unravel_index(int(np.argmax(overlap)), overlap.shape)
            yield before[i], after[j]
            overlap[i, :] = overlap[:, j] = 0
