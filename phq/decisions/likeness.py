"""Duplicates, scenes and faces among the samples that the thresholds keep: the fields that they set in each row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from phq.config.build import Config
from phq.dataset.tables import arrow_schema
from phq.decisions.copies import NEAR
from phq.decisions.duplicates import COLUMNS, POINTS, Duplicates, find_duplicates
from phq.decisions.faces import face_groups
from phq.decisions.groups import PROPORTION, SCENE_COLUMNS, cut_differently, duplicate_groups, proportions, scene_groups
from phq.decisions.numbered import lists, numbered
from phq.decisions.scenes import Faces
from phq.decisions.signs import NUMBERS as POINT_NUMBERS
from phq.decisions.signs import Signs, upper_landmarks
from phq.decisions.tracks import tracks
from phq.detect.backends.offers import same_face
from phq.detect.face_crop import HALF, packed
from phq.photos.frame_names import MARK
from phq.quality.appearance import NUMBERS as LOOK_NUMBERS
from phq.quality.appearance import REGIONS
from phq.schema import BOX, GROUPS, LANDMARKS, Fields, rounded
from phq.system.arrays import Bools, Ints, Rows

FACE = "face"
"""Column with ``face_embedding`` as bytes."""
COMPACT = {PROPORTION: pa.float64(), FACE: pa.large_binary(), POINTS: pa.list_(pa.float32())}
"""Columns that `compact` computes, and their types."""
COMPACT_LENGTHS = {POINTS: {"length": str(POINT_NUMBERS)}}
"""Metadata of the fields of those that are lists."""
COMPARED = tuple(dict.fromkeys([*COLUMNS, *SCENE_COLUMNS, "face_network"]))
"""Columns of the record that samples are compared by, beside `COMPACT`."""
_LARGE = ("keypoints_3d", "face_embedding", "keypoints_2d", "crop_to_source", "image_size")
LIKENESS = (*COMPARED, *_LARGE)
"""Columns of the record that `compact` takes."""
ALIKE, EXACT, SCENE = 1, 2, 3
"""Why a sample is rejected for its likeness; 0 where it is not."""
_REASONS = {ALIKE: "duplicate", EXACT: "exact_duplicate", SCENE: "same_scene"}


def compared_schema() -> pa.Schema:
    """`COMPARED` and `COMPACT`, as `phq.system.columns_on_disk` takes them."""
    compacted = [pa.field(name, kind, metadata=COMPACT_LENGTHS.get(name)) for name, kind in COMPACT.items()]
    return pa.schema([*(arrow_schema().field(name) for name in COMPARED), *compacted])


def compact(table: pa.Table) -> pa.Table:
    """A table with `PROPORTION` in place of ``keypoints_3d``, one number for ninety-nine (NaN where there are none),
    `FACE` in place of ``face_embedding``, and `POINTS` in place of all landmarks in the photo and the crop's place.

    Args:
        table: `LIKENESS` and any other columns.

    Raises:
        InputError: an embedding cannot be read.
    """
    landmarks = lists(table["keypoints_3d"], 3 * len(LANDMARKS)).reshape(-1, len(LANDMARKS), 3)
    made = {PROPORTION: pa.array(proportions(landmarks), pa.float64()), FACE: packed(table["face_embedding"])}
    made[POINTS] = _points(table)
    table = table.drop_columns(list(_LARGE))
    for name, column in made.items():
        table = table.append_column(name, column)
    return table


def _points(table: pa.Table) -> pa.Array:
    keypoints, affine = lists(table["keypoints_2d"], 2 * len(LANDMARKS)), lists(table["crop_to_source"], 6)
    size = np.asarray(pc.fill_null(table["image_size"], 0), np.float64)
    points = upper_landmarks(keypoints, affine, size)
    ends = np.arange(0, points.size + 1, POINT_NUMBERS, dtype=np.int32)
    return pa.ListArray.from_arrays(pa.array(ends), pa.array(points.ravel(), pa.float32()))


@dataclass
class Likeness:
    """What duplicates, scenes and faces set, of N samples: 21 bytes each. Samples are named by row numbers, −1 for
    none."""

    duplicate_of: Rows
    """(N,) the sample that is kept in place of each."""
    bits: NDArray[np.int16]
    """(N,) bits between the hashes of the two."""
    photo_bits: NDArray[np.int16]
    """(N,) bits between the hashes of their photos, −1 where these did not decide."""
    groups: dict[str, Rows]
    """(N,) the sample that names the group of each, by column of `phq.schema.GROUPS` but ``duplicate_of``."""
    why: NDArray[np.int8]
    """(N,) `ALIKE`, `EXACT` or `SCENE` where the sample is rejected."""

    def touched(self) -> Bools:
        """(N,) whether anything is set."""
        return np.asarray(np.any([self.duplicate_of >= 0, *(group >= 0 for group in self.groups.values())], axis=0))

    def fields(self, table: pa.Table, rows: Ints, config: Config) -> Iterator[Fields]:
        """Fields of `phq.schema.Row` that are set in some of the rows.

        Args:
            table: ``key`` and ``source_path`` of the N samples.
            rows: numbers.
            config: what counts as a duplicate.
        """
        keys = self._named(table["key"], rows)
        paths = _taken(table["source_path"], self.duplicate_of[rows])
        why, bits, photo_bits = (of[rows].tolist() for of in (self.why, self.bits, self.photo_bits))
        for number in range(len(rows)):
            said = {name: column[number] for name, column in keys.items() if column[number]}
            if why[number] == SCENE:
                said |= _of_scene(said["scene_group"])
            elif why[number]:
                other = f"{said['duplicate_of']} of {paths[number]}"
                said |= {"decision": "rejected", "reason": _REASONS[why[number]]}
                if photo_bits[number] < 0:
                    said |= _of_duplicate(other, bits[number], config)
                else:
                    said |= _of_copy(other, photo_bits[number])
            yield said

    def _named(self, keys: pa.ChunkedArray, rows: Ints | slice) -> dict[str, list[str]]:
        of = {**self.groups, "duplicate_of": self.duplicate_of}
        return {name: _taken(keys, of[name][rows]) for name in GROUPS}

    def names(self, keys: pa.ChunkedArray, first: int) -> dict[str, list[str]]:
        """`phq.schema.GROUPS` of the first so many samples."""
        return self._named(keys, slice(first))

    def by_row(self, table: pa.Table, config: Config) -> dict[int, Fields]:
        """All of `fields`, by row number."""
        rows = np.flatnonzero(self.touched())
        return dict(zip(rows.tolist(), self.fields(table, rows, config), strict=True))


def _taken(column: pa.ChunkedArray, rows: Rows) -> list[str]:
    """Values of rows by number, '' for −1."""
    stated = rows >= 0
    found = np.full(len(rows), "", object)
    found[stated] = column.take(pa.array(rows[stated])).to_pylist()
    return list(found.tolist())


def find_likeness(table: pa.Table, config: Config, existing: int = 0) -> Likeness:
    """Duplicates, scenes and faces among samples.

    Args:
        table: `COMPARED` and `COMPACT` of the samples that the thresholds keep.
        config: what counts as a duplicate, and what is rejected.
        existing: rows at the start that are in the dataset already: they come before all others.

    Raises:
        ConfigError: the cosine from which two embeddings show one face is not known (see `same_face`).
    """
    count = len(table)
    limits, compared = config.duplicates, table.select([*COLUMNS, POINTS])
    found = find_duplicates(compared, limits.bits, existing, apart=limits.reject)  # a dataset has what was not rejected
    groups = {
        "duplicate_group": duplicate_groups(found, count).astype(np.int32),
        "identity_group": _faces(table, config, existing).astype(np.int32),
        "scene_group": np.full(count, -1, np.int32),
    }
    bits = np.zeros(count, np.int16), np.full(count, -1, np.int16)
    alike = Likeness(np.full(count, -1, np.int32), *bits, groups, np.zeros(count, np.int8))
    _set_duplicates(alike, found, _same_key(table, found), config)
    _set_scenes(alike, table, config, existing)
    return alike


def _same_key(table: pa.Table, found: Duplicates) -> Bools:
    keys = [table["key"].take(pa.array(rows)) for rows in (found.rows, found.kept)]
    return np.asarray(pc.equal(*keys))


def _set_duplicates(alike: Likeness, found: Duplicates, same_key: Bools, config: Config) -> None:
    """Samples that look like a better one. The very same image again is always rejected: a key can be stored once."""
    alike.duplicate_of[found.rows], alike.bits[found.rows] = found.kept, found.bits
    alike.photo_bits[found.rows] = found.photo_bits
    rejected = found.exact | same_key | config.duplicates.reject
    alike.why[found.rows[rejected]] = np.where(found.exact, EXACT, ALIKE)[rejected]


def _faces(table: pa.Table, config: Config, existing: int) -> Ints:
    """(N,) row that names the group of each sample's face, −1 where it has none."""
    rows = np.flatnonzero(np.asarray(pc.is_valid(table[FACE])))
    groups = np.full(len(table), -1, np.int64)
    some = table.select([FACE, "face_network", "key"]).take(pa.array(rows))
    faces, networks, keys = (some[name].to_pylist() for name in some.column_names)
    first = int((rows < existing).sum())
    found = face_groups(keys, faces, networks, lambda network: same_face(network, config.identity.same), first)
    inside = found >= 0
    groups[rows[inside]] = rows[found[inside]]
    return groups


def _embeddings(table: pa.Table, left: Bools, config: Config) -> Faces | None:
    """Those of the network that most of some samples have one of."""
    rows = np.flatnonzero(np.asarray(pc.is_valid(table[FACE])) & left)
    some = table.select([FACE, "face_network"]).take(pa.array(rows))
    faces, networks = (some[name].to_pylist() for name in some.column_names)
    counts = Counter((network, len(face)) for face, network in zip(faces, networks, strict=True) if face)
    if not counts:
        return None
    space = min(counts, key=lambda space: (-counts[space], space))
    ours = [n for n, (face, network) in enumerate(zip(faces, networks, strict=True)) if (network, len(face)) == space]
    vectors = np.frombuffer(b"".join(faces[n] for n in ours), HALF).reshape(len(ours), -1).astype(np.float32)
    return Faces.of(len(table), rows[ours], vectors, same_face(space[0], config.identity.same))


def _set_scenes(alike: Likeness, table: pa.Table, config: Config, existing: int) -> None:
    """Scenes of the samples that are not rejected yet."""
    left = alike.why == 0
    groups = scene_groups(table, _embeddings(table, left, config), existing, _tracks(table, left), left)
    alike.groups["scene_group"][groups >= 0] = groups[groups >= 0]
    if config.duplicates.scene:
        alike.why[(groups >= 0) & (groups != np.arange(len(groups)))] = SCENE
    signs = Signs.of(lists(table["appearance"], LOOK_NUMBERS), lists(table[POINTS], POINT_NUMBERS))
    again = cut_differently(table, groups, signs)
    group = alike.groups["duplicate_group"]
    group[again.rows] = group[again.kept] = again.kept
    _set_duplicates(alike, again, np.zeros(len(again.rows), bool), config)


def _tracks(table: pa.Table, left: Bools) -> Ints | None:
    """See `phq.decisions.tracks.tracks`, of some samples; None if none of them is a frame of a video."""
    frames = np.flatnonzero(np.asarray(pc.match_substring(table["source_path"], MARK)) & left)
    if not len(frames):
        return None
    some = table.select(["source_path", "identity", "appearance", *BOX]).take(pa.array(frames)).combine_chunks()
    looks = lists(some["appearance"], LOOK_NUMBERS).reshape(-1, len(REGIONS), 6)
    boxes = np.column_stack([some[name].to_numpy() for name in BOX])
    track = np.full(len(table), -1, np.int64)
    track[frames] = tracks(some["source_path"].to_pylist(), boxes, looks, numbered(some["identity"]))
    return track


def _of_duplicate(other: str, bits: int, config: Config) -> Fields:
    """Fields of a sample that looks like a better one."""
    limit = max(config.duplicates.bits, bits) + 1  # the least distance that is kept
    return {"detail": f"{bits} bits from {other}"} | _near("phash", bits, limit)


def _of_copy(other: str, bits: int) -> Fields:
    """Fields of a sample whose photo is a copy of a better one's."""
    return {"detail": f"photo, at the same place, {bits} bits from {other}"} | _near("photo_phash", bits, NEAR + 1)


def _near(score: str, bits: int, limit: int) -> Fields:
    margin = rounded("margin", min(bits / limit, 1.0) - 1.0)
    return {"score_name": score, "threshold": float(limit), "margin": margin}


def _of_scene(group: str) -> Fields:
    """Fields of a sample of a scene whose best sample is `group`."""
    return {
        "decision": "rejected",
        "reason": _REASONS[SCENE],
        "detail": f"the same person in the same scene as {group}, which is better",
        "score_name": "",
        "threshold": 0.0,
        "margin": 0.0,
    }
