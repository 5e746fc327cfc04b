"""Which samples are like which: stored signs as vectors, the distances between them, and a map in two dimensions.

No network runs: colours (`phq.quality.appearance`), directions of camera and head, and face embeddings are columns of
the dataset. All is deterministic.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from functools import cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from phq.dataset.reader import Dataset
from phq.dataset.whole_columns import columns
from phq.detect.face_crop import HALF, packed
from phq.quality.appearance import NUMBERS
from phq.system.arrays import Bools, Doubles, Ints, Singles

LOOKS, POSE, FACE, ALL = "looks", "pose", "face", "all"
ANGLES = ("camera_yaw_deg", "camera_pitch_deg", "head_yaw_deg", "head_pitch_deg")
COLUMNS = ("appearance", *ANGLES, "face_embedding", "face_network")
REFERENCES = 1000
"""Samples, evenly over the dataset, that outliers are measured against and that the map is made of."""
NEIGHBOURS = 4
"""Neighbours that place a sample on the map; the distance to the farthest of them says how far a sample lies apart."""
_PIECE = 4096
"""Samples compared at a time; bounds the memory to some tens of MB."""


class Similar:
    """Vectors of N samples in the spaces `LOOKS`, `POSE`, `FACE` (where embeddings are stored) and `ALL`.

    Args:
        dataset: the N samples.

    Raises:
        InputError: the dataset was made by an older phq and lacks a column.
    """

    def __init__(self, dataset: Dataset) -> None:
        self._table = columns(dataset, COLUMNS)
        has_faces = pc.any(pc.not_equal(self._table["face_embedding"], "")).as_py()
        self.spaces = [ALL, LOOKS, POSE, *([FACE] if has_faces else [])]
        """Names of the spaces, the most general first."""
        self.vectors = cache(self._vectors)
        """(N, D) vectors by space, NaN for samples that have none."""
        self.apart = cache(self._apart)
        """(N,) by space: distance to the neighbour number `NEIGHBOURS` among the references, NaN without a vector."""
        self._near = cache(self._nearest)
        self.map = cache(self._map)
        """(N, 2) by space: places on the map within −1 to 1, NaN without a vector."""

    def _vectors(self, space: str) -> Singles:
        if space == FACE:
            return _faces(self._table)
        if space == LOOKS:
            return _looks(self._table["appearance"])
        if space == POSE:
            return _directions(self._table)
        parts = [_of_unit_spread(self.vectors(part)) for part in (LOOKS, POSE)]
        unknown = ~np.any([_known(part) for part in parts], axis=0)
        joined = np.hstack([np.where(_known(part)[:, None], part, 0) for part in parts])
        return np.where(unknown[:, None], np.float32(np.nan), joined)

    def distances(self, space: str, to: list[int]) -> Singles:
        """(N,) distance to the nearest of some samples, NaN where a sample or all of those have no vector.

        Args:
            space: one of `spaces`.
            to: row numbers.
        """
        vectors = self.vectors(space)
        wanted = vectors[to][_known(vectors[to])]
        if not len(wanted):
            return np.full(len(vectors), np.nan, np.float32)
        return np.concatenate([np.sqrt(squared.min(1)) for _, squared in _pieces(vectors, wanted)])

    def neighbours(self, space: str, among: list[int], most: int) -> list[list[int]]:
        """Of each of some samples the nearest others of them, the nearest first; none for one without a vector.

        Args:
            space: one of `spaces`.
            among: row numbers; the answer is of their places in this list.
            most: neighbours of each, at most.
        """
        vectors = self.vectors(space)[among]
        known = np.flatnonzero(_known(vectors))
        found: list[list[int]] = [[] for _ in among]
        for rows, squared in _pieces(vectors[known], vectors[known]):
            for row, distances in zip(known[rows], squared, strict=True):
                order = known[np.argsort(distances, kind="stable")]
                found[row] = order[order != row][:most].tolist()
        return found

    def _references(self, space: str) -> Ints:
        known = np.flatnonzero(_known(self.vectors(space)))
        count = min(len(known), REFERENCES)
        return known[np.arange(count) * len(known) // max(count, 1)]

    def _nearest(self, space: str) -> tuple[Ints, Singles]:
        """(N, K) numbers of each sample's nearest references but itself, and their squared distances, ascending.

        K is `NEIGHBOURS`, or fewer where there are not so many others; NaN distances without a vector.
        """
        references = self._references(space)
        vectors, most = self.vectors(space), min(NEIGHBOURS, len(references) - 1)
        place = np.full(len(vectors), -1)
        place[references] = np.arange(len(references))
        numbers, distances = np.zeros((len(vectors), most), np.int64), np.zeros((len(vectors), most), np.float32)
        for rows, squared in _pieces(vectors, vectors[references]):
            itself = np.flatnonzero(place[rows] >= 0)
            squared[itself, place[rows][itself]] = np.inf
            some = np.argpartition(squared, most - 1, axis=1)[:, :most]
            order = np.argsort(np.take_along_axis(squared, some, 1), axis=1, kind="stable")
            numbers[rows] = np.take_along_axis(some, order, 1)
            distances[rows] = np.take_along_axis(squared, numbers[rows], 1)
        return numbers, distances

    def _apart(self, space: str) -> Singles:
        if len(self._references(space)) < 2:
            return np.full(len(self._table), np.nan, np.float32)
        return np.sqrt(self._near(space)[1][:, -1])

    def _map(self, space: str) -> Singles:
        references = self._references(space)
        places = np.full((len(self._table), 2), np.nan, np.float32)
        if len(references) < 2:
            places[references] = 0
            return places
        drawn = tsne(self.vectors(space)[references])
        nearest, squared = self._near(space)
        weights = 1 / (squared + 1e-9)
        found = (drawn[nearest] * (weights / weights.sum(1, keepdims=True))[..., None]).sum(1)
        places[:] = np.where(_known(self.vectors(space))[:, None], found, np.nan)
        places[references] = drawn
        return places


def _known(vectors: Singles) -> Bools:
    return np.asarray(np.isfinite(vectors).all(1))


def _pieces(vectors: Singles, others: Singles) -> Iterator[tuple[slice, Singles]]:
    """Rows of `vectors`, and their squared distances to the others."""
    norms = (others**2).sum(1)
    for start in range(0, len(vectors), _PIECE):
        rows = slice(start, start + _PIECE)
        part = vectors[rows]
        yield rows, np.maximum((part**2).sum(1)[:, None] + norms - 2 * part @ others.T, 0)


def _of_unit_spread(vectors: Singles) -> Singles:
    """The vectors about their mean, scaled so that their root mean square distance from it is 1."""
    known = vectors[_known(vectors)]
    if not len(known):
        return vectors
    middle = known.mean(0)
    spread = np.sqrt(((known - middle) ** 2).sum(1).mean())
    return np.asarray((vectors - middle) / np.float32(spread or 1))


def _looks(appearance: pa.ChunkedArray) -> Singles:
    """Colours in L*a*b*; a region without colours has the mean of all samples' regions."""
    found = np.full((len(appearance), NUMBERS), np.nan, np.float32)
    valid = np.flatnonzero(np.asarray(appearance.is_valid()))
    flat = pc.list_flatten(appearance.drop_null()).to_numpy().astype(np.float32)
    regions = flat.reshape(len(valid), NUMBERS // 6, 6)
    empty = ~regions.any(2)
    counts = np.maximum((~empty).sum(0), 1)[:, None]
    regions = np.where(empty[..., None], regions.sum(0) / counts, regions)
    found[valid] = regions.reshape(len(valid), NUMBERS)
    found[valid[empty.all(1)]] = np.nan
    return found


def _directions(table: pa.Table) -> Singles:
    """Unit vectors towards the camera in the torso's frame and in the head's."""
    angles = [np.radians(np.asarray(table[name].cast(pa.float64()).fill_null(np.nan))) for name in ANGLES]
    parts = []
    for yaw, pitch in (angles[:2], angles[2:]):
        parts += [np.sin(yaw) * np.cos(pitch), np.sin(pitch), np.cos(yaw) * np.cos(pitch)]
    return np.stack(parts, 1).astype(np.float32)


def _faces(table: pa.Table) -> Singles:
    """Embeddings of the network and length that most samples have one of."""
    found = packed(table["face_embedding"]).to_pylist()
    kinds = [
        (network, len(face)) if face else None
        for network, face in zip(table["face_network"].to_pylist(), found, strict=True)
    ]
    counts = Counter(kind for kind in kinds if kind)
    most = min(counts, key=lambda kind: (-counts[kind], kind))
    rows = [row for row, kind in enumerate(kinds) if kind == most]
    units = np.frombuffer(b"".join(found[row] for row in rows), HALF).reshape(len(rows), -1)
    vectors = np.full((len(table), units.shape[1]), np.nan, np.float32)
    vectors[rows] = units
    return vectors


def tsne(vectors: Singles, perplexity: float = 30, steps: int = 300) -> Singles:
    """(N, 2) places within −1 to 1 of vectors, near ones near: t-SNE from the principal components.

    van der Maaten and Hinton 2008 (jmlr.org/papers/v9/vandermaaten08a), exact; begun as Kobak and Berens 2019
    (doi:10.1038/s41467-019-13056-x) recommend.

    Args:
        vectors: (N, D), N at least 2.
        perplexity: neighbours that count; fewer where there are few vectors.
        steps: of the descent, the first quarter with attraction 12 times as strong.
    """
    count = len(vectors)
    joint = _affinities(vectors, min(perplexity, (count - 1) / 3)) if count > 4 else None
    places = _principal(vectors)
    if joint is not None:
        places = _descended(places * np.float32(1e-4) / places[:, 0].std(), joint, steps)
    places = places - (places.max(0) + places.min(0)) / np.float32(2)
    return np.asarray(places / max(np.abs(places).max(), 1e-9), np.float32)


def _principal(vectors: Singles) -> Singles:
    """(N, 2) first principal components; the sign is that which makes the largest weight positive."""
    centred = (vectors - vectors.mean(0)).astype(np.float64)
    axes = np.linalg.svd(centred.T @ centred)[0][:, :2]
    axes = axes * np.sign(axes[np.abs(axes).argmax(0), np.arange(axes.shape[1])])
    apart = np.arange(len(vectors))[:, None] * 1e-9  # so that equal vectors are not all in one place
    return np.asarray(centred @ axes + apart, np.float32)


def _affinities(vectors: Singles, perplexity: float) -> Singles:
    """(N, N) joint probabilities, each row's bandwidth by bisection."""
    squared = np.concatenate([piece for _, piece in _pieces(vectors, vectors)])
    squared /= max(squared.mean(), 1e-12)
    np.fill_diagonal(squared, np.inf)
    low, high = np.full(len(vectors), -20.0), np.full(len(vectors), 30.0)
    for _ in range(24):
        middle = (low + high) / 2
        wide = _row_perplexity(_rows_of(squared, middle)) > perplexity
        low, high = np.where(wide, middle, low), np.where(wide, high, middle)
    rows = _rows_of(squared, (low + high) / 2)
    return np.asarray((rows + rows.T) / (2 * len(rows)), np.float32)


def _rows_of(squared: Singles, precision: Doubles) -> Singles:
    """(N, N) conditional probabilities; `precision` as the logarithm to base 2."""
    nearest = squared.min(1, keepdims=True)
    rows = np.exp(-(squared - nearest) * np.exp2(precision)[:, None].astype(np.float32))
    return np.asarray(rows / rows.sum(1, keepdims=True))


def _row_perplexity(rows: Singles) -> Singles:
    return np.asarray(np.exp(-(rows * np.log(np.maximum(rows, 1e-12))).sum(1)))


def _descended(places: Singles, joint: Singles, steps: int) -> Singles:
    rate = np.float32(max(len(places) / 12, 50))
    speed, gain = np.zeros_like(places), np.ones_like(places)
    for step in range(steps):
        early = step < steps // 4
        kernel = 1 / (1 + np.concatenate([piece for _, piece in _pieces(places, places)]))
        np.fill_diagonal(kernel, 0)
        force = (joint * np.float32(12 if early else 1) - kernel / kernel.sum()) * kernel
        slope = 4 * (force.sum(1)[:, None] * places - force @ places)
        gain = np.maximum(np.where((slope > 0) == (speed > 0), gain * 0.8, gain + 0.2), 0.01).astype(np.float32)
        speed = np.float32(0.5 if early else 0.8) * speed - rate * gain * slope
        places = places + speed
    return places
