"""Groups of samples: those that look alike, and those of one person in one scene.

Every group is a star: its members are each near enough to its best sample, and named by its key. So no group grows by a
chain of small likenesses, however many samples there are.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from phq.decisions.colour_grid import coarse
from phq.decisions.duplicates import Duplicates, best_first
from phq.decisions.hamming import Words, mirror_distance, popcount
from phq.decisions.numbered import lists, numbered, words
from phq.decisions.scenes import LIKELY_BITS, PIECE, Faces, Seen, leaders_of, usable
from phq.decisions.signs import Signs
from phq.quality.appearance import NUMBERS as LOOK_NUMBERS
from phq.quality.appearance import REGIONS
from phq.schema import LANDMARKS
from phq.system.arrays import Bools, Doubles, Floats, Ints

SCENE_COLUMNS = (
    "key", "source_path", "source_sha256", "person_index", "source_px_per_px", "blur", "identity", "appearance",
    "phash", "phash_mirror",
)  # fmt: skip
"""Fields of `phq.schema.Row` that `scene_groups` needs, beside `proportions` of the landmarks."""
PROPORTION = "proportion"
SHOULDERS = [LANDMARKS.index("left_shoulder"), LANDMARKS.index("right_shoulder")]
HIPS = [LANDMARKS.index("left_hip"), LANDMARKS.index("right_hip")]


def duplicate_groups(found: Duplicates, count: int) -> Ints:
    """(N,) row of the best of those that each sample looks like, itself among them; −1 where it is alone.

    Args:
        found: see `phq.decisions.duplicates.find_duplicates`.
        count: N.
    """
    groups = np.full(count, -1, np.int64)
    groups[found.rows] = groups[found.kept] = found.kept
    return groups


def scene_groups(
    table: pa.Table,
    faces: Faces | None = None,
    existing: int = 0,
    track: Ints | None = None,
    among: Bools | None = None,
) -> Ints:
    """(N,) row of the best sample of the same person in the same scene; −1 where a sample is the only one.

    Taken from the best to the worst (as duplicates are), a sample joins the leader that it matches best, or leads. It
    matches where clothes, head and both sides of the background have the same colours, plain or mirrored, the torso has
    the same proportions, and the two are not stated to be different people or seen in one photo; before a plain
    background they must look alike as well (`phq.decisions.scenes.LIKELY_BITS`). Where both have a face embedding, the
    faces decide in place of proportions and likeness: from a cosine of `Faces.same` on they are the
    same person, below it never. The search is exact, and its result does not depend on the order of the rows.

    Args:
        table: `SCENE_COLUMNS`, and `proportions` as `PROPORTION`.
        faces: of some of the samples.
        existing: samples at the start that come before all others, however good those are; of these, only those are in
            a group on which that of another one depends.
        track: (N,) of `phq.decisions.tracks.tracks`: the best of a track is compared, the others follow it; None if
            there are no videos.
        among: (N,) the samples that are compared; None for all.
    """
    looks = lists(table["appearance"], LOOK_NUMBERS).reshape(-1, len(REGIONS), 6)
    coloured, coarsely = _coloured(looks)
    coloured &= True if among is None else among
    order = best_first(table, existing)
    order, led_by = _best_of_tracks(order[coloured[order]], track)
    order = order.astype(np.int32)
    photo, person = (numbered(table[name])[order].astype(np.int32) for name in ("source_sha256", "identity"))
    seen = Seen(
        order, coarsely[order], table[PROPORTION].to_numpy()[order],
        words(table["phash"])[order], words(table["phash_mirror"])[order],
        photo, person, looks, faces,
    )  # fmt: skip
    leader = leaders_of(seen, int((order < existing).sum()))
    groups = np.full(len(looks), -1, np.int64)
    following = np.flatnonzero(leader >= 0)
    led = order[leader[following]]
    groups[order[following]] = groups[led] = led
    for row, best in led_by.items():
        groups[row] = groups[best] = groups[best] if groups[best] >= 0 else best
    return groups


def _coloured(looks: Floats) -> tuple[Bools, Words]:
    """(N,) whether every region of a sample has colours, and the colours (`coarse`)."""
    parts = [looks[start : start + PIECE] for start in range(0, len(looks), PIECE)]
    found = [np.empty(0, bool), *(usable(part) for part in parts)]
    return np.concatenate(found), np.concatenate([np.empty(0, np.uint64), *(coarse(part) for part in parts)])


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


def cut_differently(table: pa.Table, groups: Ints, signs: Signs) -> Duplicates:
    """Samples that look like the best of their scene: one picture, cut or turned a little otherwise.

    Args:
        table: as for `scene_groups`.
        groups: the result of `scene_groups`.
        signs: of the same samples; they must agree as in `phq.decisions.duplicates.find_duplicates`.
    """
    plain, mirrors = words(table["phash"]), words(table["phash_mirror"])
    rows = np.flatnonzero((groups >= 0) & (groups != np.arange(len(groups))))
    best = groups[rows]
    direct = popcount(plain[rows] ^ plain[best]).astype(np.int64)
    turned = mirror_distance(plain[rows], mirrors[rows], plain[best], mirrors[best]).astype(np.int64)
    alike = (direct <= LIKELY_BITS) & signs.agree(best, rows, direct, False)
    alike |= (turned <= LIKELY_BITS) & signs.agree(best, rows, turned, True)
    bits = np.minimum(direct, turned)
    count = int(alike.sum())
    return Duplicates(rows[alike], best[alike], bits[alike], np.zeros(count, bool), np.full(count, -1))


def proportions(world: Doubles) -> Doubles:
    """(N,) logarithm of shoulder width over torso length of metric landmarks (N, 33, 3); NaN where there are none."""
    width = np.linalg.norm(world[:, SHOULDERS[0]] - world[:, SHOULDERS[1]], axis=1)
    length = np.linalg.norm(world[:, SHOULDERS].mean(1) - world[:, HIPS].mean(1), axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.log(width / length))
