"""Groups of samples: those that look alike, and those of one person in one scene.

Every group is a star: its members are each near enough to its best sample, and named by its key. So no group grows by a
chain of small likenesses, however many samples there are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from phq.decisions.duplicates import RANK, Duplicate, best_first, words
from phq.decisions.hamming import mirror_distance, popcount
from phq.decisions.scenes import LIKELY_BITS, Seen, leaders_of
from phq.decisions.signs import Signs
from phq.quality.appearance import REGIONS
from phq.schema import LANDMARKS
from phq.system.arrays import Doubles, Floats, Ints

SCENE_COLUMNS = (
    "key", "source_path", "source_sha256", "person_index", "source_px_per_px", "blur", "identity", "appearance",
    "phash", "phash_mirror",
)  # fmt: skip
"""Fields of `phq.schema.Row` that `scene_groups` needs, beside `proportions` of the landmarks."""
PROPORTION = "proportion"
SHOULDERS = [LANDMARKS.index("left_shoulder"), LANDMARKS.index("right_shoulder")]
HIPS = [LANDMARKS.index("left_hip"), LANDMARKS.index("right_hip")]


def duplicate_groups(keys: Sequence[str], found: Mapping[int, Duplicate]) -> list[str]:
    """For each sample the key of the best of those that it looks like, itself among them; '' where it is alone.

    Args:
        keys: of the samples.
        found: by row number, see `phq.decisions.duplicates.find_duplicates`.
    """
    groups = [""] * len(keys)
    for row, duplicate in found.items():
        groups[row] = groups[duplicate.kept] = duplicate.key
    return groups


def scene_groups(
    columns: Mapping[str, Sequence[Any]],
    faces: Floats | None = None,
    same_face: float = 1.0,
    existing: int = 0,
    track: Ints | None = None,
) -> list[str]:
    """For each sample the key of the best sample of the same person in the same scene; '' where it is the only one.

    Taken from the best to the worst (as duplicates are), a sample joins the leader that it matches best, or leads. It
    matches where clothes, head and both sides of the background have the same colours, plain or mirrored, the torso has
    the same proportions, and the two are not stated to be different people or seen in one photo; before a plain
    background they must look alike as well (`phq.decisions.scenes.LIKELY_BITS`). Where both have a face embedding, the
    faces decide in place of proportions and likeness: from a cosine of `same_face` on they are the
    same person, below it never. The search is exact, and its result does not depend on the order of the rows.

    Args:
        columns: equally long sequences of the fields in `SCENE_COLUMNS`, and `proportions` as `PROPORTION`.
        faces: (N, D) face embeddings of any length, NaN or zeros in rows without one.
        same_face: least cosine of two of one person.
        existing: samples at the start that come before all others, however good those are.
        track: (N,) of `phq.decisions.tracks.tracks`: the best of a track is compared, the others follow it; None if
            there are no videos.
    """
    looks = np.asarray(columns["appearance"], np.float64).reshape(-1, len(REGIONS), 6)
    usable = np.abs(looks).sum(2).all(1)
    order = best_first({name: columns[name] for name in RANK}, existing)
    order, led_by = _best_of_tracks(order[usable[order]], track)
    seen = Seen(
        looks, np.asarray(columns[PROPORTION], np.float64), words(columns["phash"]), words(columns["phash_mirror"]),
        numbered(columns["source_sha256"]), numbered(columns["identity"]), _units(faces, len(looks)),
        np.full(len(looks), same_face),
    )  # fmt: skip
    leader = leaders_of(seen.part(order))
    groups = [""] * len(looks)
    following = np.flatnonzero(leader >= 0)
    for row, led in zip(order[following].tolist(), order[leader[following]].tolist(), strict=True):
        groups[row] = groups[led] = columns["key"][led]
    for row, best in led_by.items():
        groups[row] = groups[best] = groups[best] or columns["key"][best]
    return groups


def _best_of_tracks(order: Ints, track: Ints | None) -> tuple[Ints, dict[int, int]]:
    """Rows without those that follow another of their track, which is the first in the order; and whom those follow."""
    if track is None:
        return order, {}
    best: dict[int, int] = {}
    led_by = {}
    for row in order[track[order] >= 0].tolist():
        first = best.setdefault(int(track[row]), row)
        if first != row:
            led_by[row] = first
    return order[~np.isin(order, list(led_by))], led_by


def numbered(names: Sequence[str]) -> NDArray[np.int64]:
    """(N,) the same number for the same name, 0 for ''."""
    known = {"": 0}
    return np.array([known.setdefault(name or "", len(known)) for name in names], np.int64)


def _units(faces: Floats | None, count: int) -> Floats:
    """(N, D) unit vectors, NaN where there is none."""
    if faces is None:
        return np.empty((count, 0))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(faces / np.linalg.norm(faces, axis=1, keepdims=True), np.float32)


def cut_differently(columns: Mapping[str, Sequence[Any]], groups: Sequence[str], signs: Signs) -> dict[int, Duplicate]:
    """Row number → the best of its scene, for samples that look like it: one picture, cut or turned a little otherwise.

    Args:
        columns: as for `scene_groups`.
        groups: the result of `scene_groups`.
        signs: of the same samples; they must agree as in `phq.decisions.duplicates.find_duplicates`.
    """
    row_of = {key: row for row, key in enumerate(columns["key"])}
    plain, mirrors = words(columns["phash"]), words(columns["phash_mirror"])
    rows = np.array([row for row, group in enumerate(groups) if group and row_of[group] != row], np.int64)
    best = np.array([row_of[groups[row]] for row in rows.tolist()], np.int64)
    direct = popcount(plain[rows] ^ plain[best]).astype(np.int64)
    turned = mirror_distance(plain[rows], mirrors[rows], plain[best], mirrors[best]).astype(np.int64)
    alike = (direct <= LIKELY_BITS) & signs.agree(best, rows, direct, False)
    alike |= (turned <= LIKELY_BITS) & signs.agree(best, rows, turned, True)
    bits = np.minimum(direct, turned)
    return {
        row: Duplicate(other, groups[row], int(bits[n]), False)
        for n, (row, other) in enumerate(zip(rows.tolist(), best.tolist(), strict=True))
        if alike[n]
    }


def proportions(world: Doubles) -> Doubles:
    """(N,) logarithm of shoulder width over torso length of metric landmarks (N, 33, 3); NaN where there are none."""
    width = np.linalg.norm(world[:, SHOULDERS[0]] - world[:, SHOULDERS[1]], axis=1)
    length = np.linalg.norm(world[:, SHOULDERS].mean(1) - world[:, HIPS].mean(1), axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.log(width / length))
