"""Distances between real and generated pictures in one feature space, with what bounds them from both sides."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from phq.camera.sides import on_sides
from phq.system.arrays import Floats

Sets = Mapping[str, Floats]
"""Features (N, D) of generated pictures, by how they were made: sample i has the camera of real picture i."""


def distances(real: Floats, fakes: Sets, mean_image: Floats, yaw_deg: NDArray[np.float64]) -> dict[str, Any]:
    """Fréchet distances, each between sets of the same size.

    Args:
        real: (M, D) features of real pictures in random order; the first N are compared with.
        fakes: `Sets`; ``coupled`` and, if it was made, ``untrained`` give the fall from one to the other.
        mean_image: (D,) features of the mean of the real pictures: N copies of it are what a generator that has learnt
            no detail would draw.
        yaw_deg: (N,) of the cameras, for the parts `phq.camera.sides.SIDES`.

    ``real_halves`` is the distance between two halves of the real pictures: about what a perfect generator would have.
    """
    count, half = len(yaw_deg), len(real) // 2
    near, sides = real[:count], on_sides(yaw_deg)
    report: dict[str, Any] = {"images": {"all": count, **{side: int(there.sum()) for side, there in sides.items()}}}
    for name, made in fakes.items():
        parts = {side: _distance(near[there], made[there]) for side, there in sides.items()}
        report[name] = {"all": frechet_distance(near, made), **parts, **precision_recall(near, made)}
    report["mean_image"] = frechet_distance(near, mean_image[None])
    report["real_halves"] = {"distance": _distance(real[:half], real[half : 2 * half]), "images": half}
    if "untrained" in fakes:
        report["fall"] = 1 - report["coupled"]["all"] / report["untrained"]["all"]
    return report


def _distance(real: Floats, made: Floats) -> float | None:
    """None where there are not two pictures."""
    return frechet_distance(real, made) if len(real) > 1 else None


def frechet_distance(a: Floats, b: Floats) -> float:
    """|μ_a − μ_b|² + tr(Σ_a + Σ_b − 2 (Σ_a Σ_b)^½) of features a (N, D) and b (M, D); Σ with N − 1, 0 for one sample.

    Dowson and Landau 1982; of Inception features it is the FID (Heusel et al. 2017). With Σ_a = AᵀA and Σ_b = BᵀB, the
    eigenvalues of Σ_a Σ_b are the squared singular values of A Bᵀ, so the last trace is their sum. No root of a matrix
    is taken, which for fewer samples than features is singular and the usual source of complex numbers.

    Raises:
        ValueError: an empty set, or features of another length.
    """
    if not len(a) or not len(b) or a.shape[1:] != b.shape[1:]:
        raise ValueError(f"a Fréchet distance needs two sets of features of one length, not {a.shape} and {b.shape}")
    shift = a.mean(axis=0, dtype=np.float64) - b.mean(axis=0, dtype=np.float64)
    A, B = _factor(a), _factor(b)
    overlap = np.linalg.svd(A @ B.T, compute_uv=False).sum()
    return max(0.0, float(shift @ shift + (A * A).sum() + (B * B).sum() - 2 * overlap))


NEIGHBOURS = 3
"""Of precision and recall, as in the paper."""


def precision_recall(real: Floats, made: Floats) -> dict[str, float]:
    """Which part of generated pictures lies where real ones do, and the other way round (Kynkäänniemi et al. 2019).

    A set of features (N, D) covers balls about each that reach its `NEIGHBOURS`-th nearest neighbour in the set;
    precision is the part of `made` in the balls of `real`, recall the part of `real` in those of `made`.
    """
    return {"precision": _covered(real, made), "recall": _covered(made, real)}


def _covered(balls: Floats, points: Floats) -> float:
    own = np.sort(_squared(balls, balls), axis=1)  # the first of a row is the picture itself
    reach = own[:, min(NEIGHBOURS, len(balls) - 1)]
    return float((_squared(points, balls) <= reach).any(axis=1).mean())


def _squared(a: Floats, b: Floats) -> Floats:
    """(N, M) squared distances."""
    a, b = a.astype(np.float64), b.astype(np.float64)
    return np.asarray(np.maximum((a * a).sum(axis=1)[:, None] + (b * b).sum(axis=1) - 2 * a @ b.T, 0))


def _factor(features: Floats) -> Floats:
    """A (at most D rows) with AᵀA the covariance of features (N, D)."""
    centred = features.astype(np.float64) - features.mean(axis=0, dtype=np.float64)
    centred /= np.sqrt(max(1, len(features) - 1))
    return np.asarray(np.linalg.qr(centred, mode="r")) if len(centred) > centred.shape[1] else centred
