"""Fréchet distance between two sets of features, each taken for a Gaussian."""

from __future__ import annotations

import numpy as np

from phq.system.arrays import Floats


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


def _factor(features: Floats) -> Floats:
    """A (at most D rows) with AᵀA the covariance of features (N, D)."""
    centred = features.astype(np.float64) - features.mean(axis=0, dtype=np.float64)
    centred /= np.sqrt(max(1, len(features) - 1))
    return np.asarray(np.linalg.qr(centred, mode="r")) if len(centred) > centred.shape[1] else centred
