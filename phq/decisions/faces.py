"""Groups of samples that show the same face, by the cosine of their embeddings."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from phq.decisions.split_groups import linked
from phq.detect.face_crop import HALF
from phq.system.arrays import Ints

Halves = NDArray[np.float16]

BLOCK = 1024
"""Faces compared with as many others at a time: the cosines of two blocks are 4 MB."""


def face_groups(
    keys: Sequence[str],
    faces: Sequence[bytes | None],
    networks: Sequence[str],
    same: Callable[[str], float],
    existing: int = 0,
) -> Ints:
    """(N,) the first sample of the same face, itself among them; −1 if a sample is alone or unknown.

    Two samples whose embeddings have a cosine of at least `same` are of one face, and so are those that others link
    (single linkage). The first is the one with the smallest key. The result does not depend on the order of the rows,
    but for cosines within rounding of `same`. Embeddings of different networks are not compared.

    Args:
        keys: of N samples.
        faces: (N,) embeddings as bytes of little-endian float16, unit length; None where there is none.
        networks: (N,) network of each embedding (``face_network``).
        same: least cosine by name of the network.
        existing: rows at the start that come before all others.
    """
    groups = np.full(len(keys), -1, np.int64)
    spaces: dict[tuple[str, int], list[int]] = {}
    for row, (face, network) in enumerate(zip(faces, networks, strict=True)):
        if face:
            spaces.setdefault((network, len(face)), []).append(row)
    for (network, _), rows in spaces.items():
        if len(rows) == 1:
            continue
        ordered = sorted(rows, key=lambda row: (row >= existing, keys[row], row))
        vectors = np.frombuffer(b"".join(faces[row] or b"" for row in ordered), HALF).reshape(len(ordered), -1)
        label = clusters(vectors, same(network))
        _, first, often = np.unique(label, return_index=True, return_counts=True)
        places = np.array(ordered)
        grouped = often[label] > 1
        groups[places[grouped]] = places[first[label[grouped]]]
    return groups


def clusters(vectors: Halves, least: float) -> Ints:
    """(N,) a number from 0 for each vector, equal for those that a chain of cosines of at least `least` joins.

    Every pair is compared, `BLOCK` × `BLOCK` at a time, and no pair is kept: 100,000 vectors of 1024 numbers take no
    more memory than they do themselves, and a hundred megabytes.

    Args:
        vectors: (N, D) of unit length.
        least: cosine from which two are linked.
    """
    label = np.arange(len(vectors))
    for start in range(0, len(vectors), BLOCK):
        one = vectors[start : start + BLOCK].astype(np.float32)
        for other in range(start, len(vectors), BLOCK):
            a, b = np.nonzero(one @ vectors[other : other + BLOCK].astype(np.float32).T >= least)
            a, b = label[start + a], label[other + b]
            if (a != b).any():
                label = linked(a, b, int(label.max()) + 1)[label]
    return label
