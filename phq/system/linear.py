"""Products, solutions and lengths whose bits do not depend on the processor.

numpy hands ``@``, ``dot`` and `numpy.linalg` to a BLAS, which chooses a kernel for the processor; kernels add in
another order or fuse a multiplication with an addition, and the last digits differ. The matrices of a person are small:
sums in a fixed order cost a few hundredths of the build. What is computed for a record uses these functions alone
(``tests/test_layers.py``).
"""

from __future__ import annotations

from math import sqrt
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from phq.system.arrays import Doubles

_PAIRS = ((0, 1), (0, 2), (1, 2))
_SWEEPS = 8
"""Sweeps of Jacobi rotations; a 3×3 matrix converges in four or five."""
_TINY = 1e-300
_SUMS = {
    (False, False): "j,j->", (False, True): "j,...jk->...k", (True, False): "...ij,j->...i",
    (True, True): "...ij,...jk->...ik",
}  # fmt: skip
"""Which sums are a product, by whether the left and the right side are matrices."""


def product(first: ArrayLike, *others: ArrayLike) -> NDArray[Any]:
    """What ``first @ second @ …`` gives, with the rules of `numpy.matmul` for vectors and leading axes."""
    found: NDArray[Any] = np.asarray(first)
    for other in others:
        factor: NDArray[Any] = np.asarray(other)
        found = np.asarray(np.einsum(_SUMS[found.ndim > 1, factor.ndim > 1], found, factor))
    return found


def length(vectors: ArrayLike) -> NDArray[Any]:
    """Euclidean lengths (…) of vectors (…, N)."""
    values = np.asarray(vectors)
    return np.asarray(np.sqrt((values * values).sum(-1)))


def solve(matrix: ArrayLike, right: ArrayLike) -> NDArray[Any]:
    """x (…, N, K) with A x = B, by Gaussian elimination with partial pivoting (Golub and Van Loan 2013, 3.4).

    Args:
        matrix: A (…, N, N).
        right: B (…, N, K).

    A singular matrix gives numbers that are not finite.
    """
    a, b = np.array(matrix), np.asarray(right)
    batch = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    n, kind = a.shape[-1], np.result_type(a, b, np.float32)
    rows = np.empty((*batch, n, n + b.shape[-1]), kind)
    rows[..., :n], rows[..., n:] = a, b
    rows = rows.reshape(-1, n, n + b.shape[-1])
    every = np.arange(len(rows))
    with np.errstate(divide="ignore", invalid="ignore"):
        for i in range(n):
            pivot = np.abs(rows[:, i:, i]).argmax(1)
            if np.count_nonzero(pivot):  # a tenth of the time of `any`
                pivot += i
                rows[every, pivot], rows[:, i] = rows[:, i].copy(), rows[every, pivot]
            factor = rows[:, i + 1 :, i] / rows[:, i, i, None]
            rows[:, i + 1 :, i:] -= factor[..., None] * rows[:, i, None, i:]
        x = rows[..., n:]
        for i in reversed(range(n)):
            x[:, i] /= rows[:, i, i, None]
            x[:, :i] -= rows[:, :i, i, None] * x[:, i, None]
    return x.reshape(*batch, n, -1)


def inverse(matrix: ArrayLike) -> NDArray[Any]:
    """Inverse of matrices (…, N, N), see `solve`."""
    a = np.asarray(matrix)
    return solve(a, np.eye(a.shape[-1], dtype=a.dtype))


def nearest_rotation(matrix: ArrayLike) -> Doubles:
    """Rotation R (…, 3, 3) with the largest trace of Rᵀ M, which is nearest to M (…, 3, 3); it never mirrors.

    R = U diag(1, 1, ±1) Vᵀ of the singular value decomposition (Kabsch 1976). Only its first two singular pairs are
    needed, since the third of either side is the cross product of the others; they come from one-sided Jacobi rotations
    (Hestenes 1958), which work on M itself and so keep all digits of a nearly flat one.
    """
    matrices = np.asarray(matrix, np.float64)
    return np.array([_nearest(m) for m in matrices.reshape(-1, 3, 3)]).reshape(matrices.shape)


def _nearest(matrix: Doubles) -> Doubles:
    turned, v = _orthogonal_columns(matrix)
    first, second, _ = sorted(range(3), key=lambda column: -_dot(turned[column], turned[column]))
    u, w = (np.array(_right_handed(side[first], side[second])) for side in (turned, v))
    return np.asarray(product(u.T, w))


def _right_handed(x: list[float], y: list[float]) -> list[list[float]]:
    """(3, 3) rows: the directions of x and y, which are orthogonal but for rounding, and their cross product; in place
    of one without length, any across the other. On plain numbers: arrays of three cost more."""
    x = _direction(x, [1.0, 0.0, 0.0])
    least = min(range(3), key=lambda i: abs(x[i]))
    y = _direction(_across(y, x), _across([float(i == least) for i in range(3)], x))
    return [x, y, [x[1] * y[2] - x[2] * y[1], x[2] * y[0] - x[0] * y[2], x[0] * y[1] - x[1] * y[0]]]


def _across(vector: list[float], axis: list[float]) -> list[float]:
    """The part of a vector that is orthogonal to a unit axis."""
    along = _dot(axis, vector)
    return [a - b * along for a, b in zip(vector, axis, strict=True)]


def _direction(vector: list[float], instead: list[float]) -> list[float]:
    chosen = vector if sqrt(_dot(vector, vector)) > _TINY else instead
    size = sqrt(_dot(chosen, chosen))
    return [a / size for a in chosen]


def _orthogonal_columns(matrix: Doubles) -> tuple[list[list[float]], list[list[float]]]:
    """Columns of M V, which are orthogonal, and of the rotation V."""
    m, v = matrix.T.tolist(), np.eye(3).tolist()
    for p, q in _PAIRS * _SWEEPS:
        across = _dot(m[p], m[q])
        if across == 0:
            continue
        wider = _dot(m[q], m[q]) - _dot(m[p], m[p])
        tangent = 2 * across / (abs(wider) + sqrt(wider * wider + 4 * across * across))  # the smaller angle
        tangent = tangent if wider >= 0 else -tangent
        cosine = 1 / sqrt(1 + tangent * tangent)
        for part in (m, v):
            one, other = part[p], part[q]
            part[p] = [cosine * (a - tangent * b) for a, b in zip(one, other, strict=True)]
            part[q] = [cosine * (b + tangent * a) for a, b in zip(one, other, strict=True)]
    return m, v


def _dot(a: list[float], b: list[float]) -> float:
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
