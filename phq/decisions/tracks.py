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
UNMISTAKABLE = 6.0
"""The same of head and clothes, where the boxes need not overlap: someone who has walked on."""
HEAD, CLOTHES = 0, 1
"""Regions of `phq.quality.appearance`."""


def tracks(paths: Sequence[str], boxes: Doubles, looks: Doubles, people: Ints) -> Ints:
    """(N,) the same number for samples of one person in consecutive frames of a video, −1 for any other sample.

    From frame to frame the pairs of boxes that overlap most are joined, if the clothes have the same colour, then those
    with the same head and clothes wherever they are; never two that are stated to be different people.

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
        likeness = _likeness(before, after, boxes, looks)
        named = people[before][:, None] * people[after][None] > 0
        likeness[named & (people[before][:, None] != people[after][None])] = 0
        while likeness.size and likeness.max() > 0:
            i, j = np.unravel_index(int(np.argmax(likeness)), likeness.shape)
            yield before[i], after[j]
            likeness[i, :] = likeness[:, j] = 0


def _likeness(before: list[int], after: list[int], boxes: Doubles, looks: Doubles) -> Doubles:
    """(n, m) 1…2 where the boxes overlap, 0…1 where only head and clothes say that it is one person, else 0."""
    overlap = iou(boxes[before], boxes[after])
    colours = looks[:, (HEAD, CLOTHES), :3]
    apart = np.linalg.norm(colours[before][:, None] - colours[after][None], axis=3)
    near = (overlap >= OVERLAP) & (apart[..., 1] <= SAME_CLOTHES)
    return np.where(near, 1 + overlap, np.clip(1 - apart.max(2) / UNMISTAKABLE, 0, 1))
