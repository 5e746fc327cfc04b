"""What only the torch body has: derivatives (right at zero pose too), dtypes, and use as a module."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from smpl_files import bending, small

from phq.pose.body import Body, load_body

torch = pytest.importorskip("torch")

from phq.pose.body_torch import TorchBody, rotvec_to_rotmat  # noqa: E402 (needs torch)

ANGLES = [0.0, 1e-9, 1e-4, 0.0999999, 0.1000001, 1.0, np.pi, 6.0]


@pytest.fixture(scope="module")
def body() -> Body:
    return bending(small(load_body()))


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


@pytest.mark.parametrize("size", [0.0, 0.4])
def test_derivatives_of_the_body(body: Body, size: float) -> None:
    chance = np.random.default_rng(1)
    model = TorchBody(body, torch.float64)
    shapes = ((24, 3), (10,), (3,))
    inputs = [torch.tensor(chance.normal(size=shape) * size, requires_grad=True) for shape in shapes]

    def some(*arguments: torch.Tensor) -> tuple[torch.Tensor, ...]:
        vertices, joints, points = model(*arguments)
        return vertices[::60], joints, points

    assert torch.autograd.gradcheck(some, inputs, fast_mode=True)


def test_gradients_reach_a_pose_from_the_vertices_alone(body: Body) -> None:
    pose = torch.zeros(72, requires_grad=True)
    TorchBody(body)(pose)[0].square().sum().backward()
    assert pose.grad is not None
    assert torch.isfinite(pose.grad).all()
    assert pose.grad.abs().sum() > 0.1


def test_arrays_are_buffers_that_move_with_the_module(body: Body) -> None:
    model = TorchBody(body)
    assert not list(model.parameters())
    assert torch.equal(model.faces, torch.tensor(body.faces))
    assert model(torch.zeros(72))[0].dtype == torch.float32
    assert model.double()(torch.zeros(72))[0].dtype == torch.float64
    assert model.to("meta")(torch.zeros(72, device="meta"))[1].shape == (24, 3)


def test_the_body_itself_is_not_shared(body: Body) -> None:
    before = body.v_template.copy()
    TorchBody(body, torch.float64).v_template.zero_()
    assert np.array_equal(body.v_template, before)
