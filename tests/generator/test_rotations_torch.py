"""Rotations in torch: those of scipy, with derivatives that hold at zero too."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

torch = pytest.importorskip("torch")

from phq.generator.networks.deform import rotvec_to_rotmat  # noqa: E402 (needs torch)

ANGLES = [0.0, 1e-9, 1e-4, 0.0999999, 0.1000001, 1.0, np.pi, 6.0]


def vectors() -> torch.Tensor:
    """Axis-angle vectors of every size, about an axis that is none of the coordinate axes."""
    axis = torch.tensor([0.48, -0.6, 0.64], dtype=torch.float64)
    return torch.tensor(ANGLES, dtype=torch.float64)[:, None] * axis


def test_rotations_are_those_of_scipy() -> None:
    expected = Rotation.from_rotvec(vectors().numpy()).as_matrix()
    assert np.abs(rotvec_to_rotmat(vectors()).numpy() - expected).max() < 1e-14


def test_derivative_at_zero_is_the_skew_matrix_of_each_axis() -> None:
    zero = torch.zeros(3, dtype=torch.float64)
    jacobian = torch.autograd.functional.jacobian(rotvec_to_rotmat, zero)
    for axis in range(3):
        expected = np.cross(np.eye(3)[axis], np.eye(3)).T  # column k is axis × e_k
        assert np.array_equal(jacobian[..., axis].numpy(), expected)


def test_first_and_second_derivatives_of_rotations_at_every_size() -> None:
    rotvec = vectors().requires_grad_()
    assert torch.autograd.gradcheck(rotvec_to_rotmat, rotvec)
    assert torch.autograd.gradgradcheck(rotvec_to_rotmat, rotvec)
