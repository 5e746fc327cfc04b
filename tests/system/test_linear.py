"""Linear algebra and elementary functions in a fixed order of operations: right, and the same under every kernel."""

from __future__ import annotations

import math
import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from phq.system import elementary
from phq.system.linear import inverse, length, nearest_rotation, product, solve

SHAPES = [
    ((3, 3), (3, 3)), ((3,), (3,)), ((3, 3), (3,)), ((3,), (3, 4)), ((5, 3, 3), (5, 3, 2)), ((5, 3, 3), (3,)),
    ((7, 3), (3, 3)), ((2, 5, 3, 3), (5, 3, 1)), ((3,), (5, 3, 2)),
]  # fmt: skip
rng = np.random.default_rng(0)


@pytest.mark.parametrize(("first", "second"), SHAPES)
def test_a_product_is_that_of_matmul(first: tuple[int, ...], second: tuple[int, ...]) -> None:
    a, b = rng.normal(size=first), rng.normal(size=second)
    assert product(a, b).shape == (a @ b).shape
    np.testing.assert_allclose(product(a, b), a @ b, atol=1e-14)


def test_products_of_several_go_from_left_to_right() -> None:
    a, b, c = rng.normal(size=(3, 4, 4))
    np.testing.assert_array_equal(product(a, b, c), product(product(a, b), c))


def test_solutions_need_pivots_and_are_batched() -> None:
    a, b = rng.normal(size=(4, 31, 31)), rng.normal(size=(4, 31, 2))
    a[:, 0, 0] = 0
    np.testing.assert_allclose(solve(a, b), np.linalg.solve(a, b), rtol=1e-9)
    np.testing.assert_allclose(product(inverse(a), a), np.broadcast_to(np.eye(31), a.shape), atol=1e-9)
    assert solve(a.astype(np.float32), b.astype(np.float32)).dtype == np.float32
    assert not np.isfinite(solve(np.zeros((2, 2)), np.ones((2, 1)))).any()


def test_lengths() -> None:
    vectors = rng.normal(size=(5, 2, 3))
    np.testing.assert_allclose(length(vectors), np.linalg.norm(vectors, axis=-1))


def _by_svd(m: np.ndarray) -> np.ndarray:
    u, _, vt = np.linalg.svd(m)
    return u @ np.diag([1, 1, np.sign(np.linalg.det(u @ vt))]) @ vt


@pytest.mark.parametrize("flat", [1.0, 1e-3, 1e-9, 0.0])
def test_the_nearest_rotation_is_that_of_a_singular_value_decomposition(flat: float) -> None:
    for m in rng.normal(size=(50, 3, 3)):
        m[:, 2] = flat * m[:, 2] + 0.5 * m[:, 0] - m[:, 1]
        found = nearest_rotation(m)
        np.testing.assert_allclose(found, _by_svd(m), atol=1e-6)
        assert np.linalg.det(found) == pytest.approx(1)


@pytest.mark.parametrize("m", [np.zeros((3, 3)), np.diag([1.0, 0, 0]), np.ones((3, 3)), np.diag([1.0, 1, -1])])
def test_a_matrix_that_determines_no_rotation_gives_one_all_the_same(m: np.ndarray) -> None:
    found = nearest_rotation(m)
    np.testing.assert_allclose(found @ found.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(found) == pytest.approx(1)


@given(st.floats(-700, 700))
def test_exponentials(x: float) -> None:
    assert elementary.exp(x) == pytest.approx(np.exp(x), rel=1e-15)
    assert elementary.log(elementary.exp(x)) == pytest.approx(x, rel=1e-14, abs=1e-15)


@given(st.floats(-1000, 1000))
def test_sines(x: float) -> None:
    sine, cosine = elementary.sin_cos(x)
    assert sine == pytest.approx(np.sin(x), abs=1e-15)
    assert cosine == pytest.approx(np.cos(x), abs=1e-15)
    assert elementary.sin(x) == sine and elementary.cos(x) == cosine
    assert elementary.tanh(x) == pytest.approx(np.tanh(x), abs=1e-15)


@given(st.floats(-10, 10), st.floats(-10, 10))
def test_angles_of_points(y: float, x: float) -> None:
    assert elementary.arctan2(y, x) == pytest.approx(np.arctan2(y, x), rel=2e-15, abs=1e-300)


@given(st.floats(-1, 1))
def test_arcs(x: float) -> None:
    assert elementary.arcsin(x) == pytest.approx(np.arcsin(x), abs=1e-15)
    assert elementary.arccos(x) == pytest.approx(np.arccos(x), abs=1e-15)


def test_edges() -> None:
    assert elementary.exp(1e4) > 1e307 and elementary.exp(-1e4) < 1e-300 and np.isnan(elementary.exp(np.nan))
    np.testing.assert_array_equal(elementary.log([0, -1, np.inf, 1]), [-np.inf, np.nan, np.inf, 0])
    points = [(0.0, -1.0), (-0.0, -1.0), (0.0, 0.0), (1.0, 0.0), (-1.0, 0.0)]
    assert [elementary.arctan2(y, x) for y, x in points] == [np.arctan2(y, x) for y, x in points]


@given(st.floats(0.05, 60))
def test_the_logarithm_of_gamma(x: float) -> None:
    assert elementary.log_gamma(x) == pytest.approx(math.lgamma(x), rel=1e-14, abs=1e-14)


COMPUTED = """
import hashlib
import numpy as np
from phq.camera.rotations import kabsch, rotmat_to_rotvec, rotvec_to_rotmat
from phq.pose.body import load_body
from phq.pose.orient.decode import decode
from phq.quality.naturalness import naturalness
from phq.system.linear import solve
from phq.system.threads import reproducible
rng = np.random.default_rng(7)
with reproducible():
    turns = rotvec_to_rotmat(rng.normal(size=(40, 3)))
    crop = rng.integers(0, 256, (256, 256, 3), dtype=np.uint8)
    parts = [
        rotmat_to_rotvec(turns), kabsch(rng.normal(size=(9, 5, 3)), rng.normal(size=(9, 5, 3))),
        *load_body().forward(rng.normal(size=72) / 4, rng.normal(size=10)), decode(rng.normal(size=56)),
        solve(rng.normal(size=(31, 31)), rng.normal(size=(31, 1))),
        np.array([naturalness(crop, np.full((256, 256), 255, np.uint8), 0.7)]),
    ]
print(hashlib.sha256(b"".join(np.ascontiguousarray(part).tobytes() for part in parts)).hexdigest())
"""
OLDER = {
    "OPENBLAS_CORETYPE": "Nehalem", "NPY_DISABLE_CPU_FEATURES": "X86_V3 X86_V4 AVX2 FMA3",
    "OPENCV_CPU_DISABLE": "SSE4.1,SSE4.2,AVX,FP16,AVX2", "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-FMA,-FMA4,-AVX2",
}  # fmt: skip


def _computed(**variables: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", COMPUTED], capture_output=True, text=True, env=os.environ | variables, check=True
    )
    return done.stdout


def test_an_older_processor_gives_the_same_bits() -> None:
    assert _computed(**OLDER) == _computed()
