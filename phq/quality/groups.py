"""Groups of samples: those that look alike, and those of one person in one scene.

Every group is a star: its members are each near enough to its best sample, and named by its key. So no group grows by a
chain of small likenesses, however many samples there are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from phq.quality.appearance import MIRRORED, REGIONS
from phq.quality.duplicates import RANK, Duplicate, best_first, words
from phq.quality.hamming import Words, distance
from phq.schema import LANDMARKS

Doubles = NDArray[np.float64]
Ints = NDArray[np.int64]
Cell = tuple[int, ...]

SCENE_COLUMNS = (
    "key", "source_path", "source_sha256", "person_index", "source_px_per_px", "blur", "identity", "appearance",
    "phash", "phash_mirror",
)  # fmt: skip
"""Fields of `phq.schema.Row` that `scene_groups` needs, beside `proportions` of the landmarks."""
PROPORTION = "proportion"
SAME_COLOUR = 6.0
"""Largest distance of mean colours in L*a*b* of any region; 2.3 is just noticeable."""
SAME_SPREAD = 6.0
"""Largest distance of the colours' standard deviations."""
FLAT = 4.0
"""Standard deviation of L* below which a background says nothing: every studio has a plain wall."""
LIKELY_BITS = 16
"""Bits between two hashes up to which people who match in everything else are the same picture cut differently."""
SURE_BITS = 12
"""Bits up to which the body's proportions need not agree, and colours half as well: a crop that was cut differently."""
SAME_BODY = 0.25
"""Largest difference of the logarithm of shoulder width over torso length."""
SAME_FACE = 0.6
"""Least cosine of two face embeddings of one person."""
CELL = 2 * SAME_COLOUR
"""Side of the cells of the search."""
MOST = 256
"""Leaders that one cell may hold; beyond that the cell is too common to say anything."""
SHOULDERS = [LANDMARKS.index("left_shoulder"), LANDMARKS.index("right_shoulder")]
HIPS = [LANDMARKS.index("left_hip"), LANDMARKS.index("right_hip")]


def duplicate_groups(keys: Sequence[str], found: Mapping[int, Duplicate]) -> list[str]:
    """For each sample the key of the best of those that it looks like, itself among them; '' where it is alone.

    Args:
        keys: of the samples. found: by row number, as `phq.quality.duplicates.find_duplicates` gives it.
    """
    groups = [""] * len(keys)
    for row, duplicate in found.items():
        groups[row] = groups[duplicate.kept] = duplicate.key
    return groups


def scene_groups(columns: Mapping[str, Sequence[Any]], faces: Doubles | None = None, settled: int = 0) -> list[str]:
    """For each sample the key of the best sample of the same person in the same scene; '' where it is the only one.

    Taken from the best to the worst (as duplicates are), a sample joins the first leader that it matches, or leads. It
    matches where clothes, head and both sides of the background have the same colours, plain or mirrored, the torso has
    the same proportions, and the two are not said to be different people or seen in one photo; before a plain
    background they must look alike as well (`LIKELY_BITS`). With embeddings, the faces must agree where both have one.

    Leaders are kept in cells of the colours of their clothes and their background (locality-sensitive hashing: a grid,
    and those of its cells that something so near can lie in), so each sample is compared with few.

    Args:
        columns: equally long sequences of the fields in `SCENE_COLUMNS`, and `proportions` as `PROPORTION`.
        faces: (N, D) unit face embeddings, zeros where there is no face.
        settled: the first so many samples come before all others, however good those are.
    """
    looks = np.asarray(columns["appearance"], np.float64).reshape(-1, len(REGIONS), 6)
    usable = np.abs(looks).sum(2).all(1)
    body = np.asarray(columns[PROPORTION], np.float64)
    hashes = (words(columns["phash"]), words(columns["phash_mirror"]))
    seen = _Seen(looks, looks[:, 2:, 3].max(1) < FLAT, body, hashes, faces)
    led: dict[int, list[int]] = {}
    cells: dict[Cell, list[int]] = {}
    points = np.column_stack([looks[:, 1, :3], looks[:, 2:, :3].mean(1)])
    centres, lows, highs = (np.floor((points + off) / CELL).astype(np.int64) for off in (0, -SAME_COLOUR, SAME_COLOUR))
    for row in best_first({name: columns[name] for name in RANK}, settled).tolist():
        if not usable[row]:
            continue
        near = _leaders(cells, lows[row].tolist(), highs[row].tolist())
        leader = _matching(row, np.array(near, np.int64), seen, columns) if near else -1
        if leader >= 0:
            led.setdefault(leader, []).append(row)
        else:
            cell = cells.setdefault(tuple(centres[row].tolist()), [])
            cell.extend([row] if len(cell) < MOST else [])
    groups = [""] * len(looks)
    for leader, rows in led.items():
        for row in (leader, *rows):
            groups[row] = columns["key"][leader]
    return groups


def cut_differently(columns: Mapping[str, Sequence[Any]], groups: Sequence[str]) -> dict[int, Duplicate]:
    """Row number → the best of its scene, for samples that look like it: one picture, cut or turned a little otherwise.

    Args:
        columns: as for `scene_groups`. groups: what that has given.
    """
    row_of = {key: row for row, key in enumerate(columns["key"])}
    hashes = (words(columns["phash"]), words(columns["phash_mirror"]))
    found = {}
    for row, group in enumerate(groups):
        if group and (best := row_of[group]) != row and (bits := _bits(hashes, row, best)) <= LIKELY_BITS:
            found[row] = Duplicate(best, group, bits, False)
    return found


def _bits(hashes: tuple[Words, Words], one: int, other: int) -> int:
    """Bits between two samples' hashes, plain and mirrored."""
    plain, mirrored = hashes
    return int(distance(plain[one], mirrored[one], plain[other], mirrored[other]))


def proportions(world: Doubles) -> Doubles:
    """(N,) logarithm of shoulder width over torso length of metric landmarks (N, 33, 3); NaN where there are none."""
    width = np.linalg.norm(world[:, SHOULDERS[0]] - world[:, SHOULDERS[1]], axis=1)
    length = np.linalg.norm(world[:, SHOULDERS].mean(1) - world[:, HIPS].mean(1), axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.log(width / length))


def _leaders(cells: Mapping[Cell, list[int]], low: list[int], high: list[int]) -> list[int]:
    """Leaders in all cells from one corner to the other, at most two along each axis."""
    corners = product(*({a, b} for a, b in zip(low, high, strict=True)))
    return sorted(row for corner in corners for row in cells.get(corner, ()))


@dataclass(frozen=True)
class _Seen:
    """What N samples are compared by."""

    looks: Doubles
    """(N, regions, 6)"""
    plain: NDArray[np.bool_]
    """(N,) the background says nothing."""
    body: Doubles
    """(N,) of `proportions`."""
    hashes: tuple[Words, Words]
    """Of the picture and of its mirror image."""
    faces: Doubles | None


def _matching(row: int, leaders: Ints, seen: _Seen, columns: Mapping[str, Sequence[Any]]) -> int:
    """The leader that a sample matches best, −1 if none."""
    look, others = seen.looks[row], seen.looks[leaders]
    off = np.minimum(*(_colour_distance(look[list(order)], others) for order in (range(4), MIRRORED)))
    picture, mirror = seen.hashes
    bits = distance(picture[row], mirror[row], picture[leaders], mirror[leaders])
    fits = (off <= 1) & (np.abs(seen.body[leaders] - seen.body[row]) <= SAME_BODY)
    fits = (fits & ((bits <= LIKELY_BITS) | ~seen.plain[row])) | ((off <= 2) & (bits <= SURE_BITS))
    if seen.faces is not None:
        both = seen.faces[leaders].any(1) & seen.faces[row].any()
        fits &= ~both | (seen.faces[leaders] @ seen.faces[row] >= SAME_FACE)
    photo, person = columns["source_sha256"], columns["identity"]
    for place in np.argsort(off, kind="stable"):
        leader = int(leaders[place])
        named = person[row] and person[leader] and person[row] != person[leader]
        if fits[place] and photo[leader] != photo[row] and not named:
            return leader
    return -1


def _colour_distance(one: Doubles, others: Doubles) -> Doubles:
    """(N,) largest distance of mean or spread of any region, in units of what still counts as the same."""
    off = np.abs(one - others)
    mean, spread = np.linalg.norm(off[..., :3], axis=-1), np.linalg.norm(off[..., 3:], axis=-1)
    return np.asarray(np.maximum(mean / SAME_COLOUR, spread / SAME_SPREAD).max(-1))
