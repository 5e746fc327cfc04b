"""Mirroring, the swap of labels, and predictors that are symmetric by construction."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from small_generators import cameras, pictures, small_config, stirred  # noqa: E402

from phq.camera.convention import mirror_camera as mirror_cam2world  # noqa: E402
from phq.camera.rotations import mirror_rotvec  # noqa: E402
from phq.generator.networks import symmetry  # noqa: E402
from phq.generator.networks.conditioning import swap_labels  # noqa: E402
from phq.generator.networks.discriminator import Discriminator  # noqa: E402
from phq.generator.networks.generator import Generator  # noqa: E402
from phq.generator.networks.rays import camera_rays  # noqa: E402

YAWS = [10.0, -10.0, 100.0, -100.0, 179.0]


def test_mirroring_follows_the_convention() -> None:
    camera = cameras(YAWS, dtype=torch.float64)
    mirrored = symmetry.mirror_camera(camera)
    assert np.allclose(mirrored[:, :16].reshape(-1, 4, 4), mirror_cam2world(camera[:, :16].reshape(-1, 4, 4).numpy()))
    assert torch.equal(mirrored[:, 16:], camera[:, 16:])
    pose = torch.randn(5, 6, dtype=torch.float64)
    assert np.allclose(symmetry.mirror_pose(pose), mirror_rotvec(pose.reshape(5, 2, 3)).reshape(5, 6))
    assert torch.equal(symmetry.mirror_camera(mirrored), camera)


def test_a_mirrored_camera_sees_mirrored_rays_in_the_flipped_image() -> None:
    camera = cameras([25.0], dtype=torch.float64)
    camera[0, 17], camera[0, 18] = 0.1, 0.45  # skew, and a principal point beside the middle
    (_, rays), (_, mirrored) = (camera_rays(c, 6) for c in (camera, symmetry.mirror_camera(camera)))
    flipped = symmetry.mirror_images(mirrored.reshape(1, 3, 6, 6)) * torch.tensor([-1.0, 1, 1])[:, None, None]
    assert torch.allclose(flipped.reshape(1, 3, 36), rays)


def test_left_is_where_the_camera_has_positive_x() -> None:
    assert symmetry.on_left(cameras(YAWS)).tolist() == [True, False, True, False, True]
    angles = torch.atan2(cameras(YAWS)[:, 11], cameras(YAWS)[:, 3])
    assert torch.equal(symmetry.on_left(cameras(YAWS)), angles.abs() <= np.pi / 2)


def test_the_generators_predictor_is_symmetric_and_starts_at_rest() -> None:
    network = Generator(small_config())
    z, camera = torch.randn(5, 8), cameras(YAWS)
    assert not network.predict_pose(z, camera).any()
    stirred(network)
    pose = network.predict_pose(z, camera)
    assert pose.abs().min() > 0
    mirrored = network.predict_pose(z, symmetry.mirror_camera(camera))
    assert torch.allclose(mirrored, symmetry.mirror_pose(pose), atol=1e-6)


@pytest.mark.parametrize("one_pass", [False, True])
def test_the_discriminators_predictor_is_symmetric(one_pass: bool) -> None:
    network = stirred(Discriminator(small_config(discriminator={"one_pass": one_pass})))
    seen, camera = pictures(5), cameras(YAWS)
    flipped = [symmetry.mirror_images(p) for p in seen]
    here, there = network(*seen, camera), network(*flipped, symmetry.mirror_camera(camera))
    assert here.pose.abs().min() > 0
    assert torch.allclose(there.pose, symmetry.mirror_pose(here.pose), atol=1e-5)
    assert torch.allclose(network.predict_pose(*seen, camera), here.pose, atol=1e-5)
    assert torch.allclose(there.logits, here.logits, atol=1e-5) == one_pass


def test_the_predictor_sees_cameras_of_one_side_alone() -> None:
    network = Generator(small_config())
    asked: list[torch.Tensor] = []
    network.pose.register_forward_hook(lambda module, inputs, output: asked.append(inputs[1]))
    network.predict_pose(torch.randn(5, 8), cameras(YAWS))
    assert not symmetry.on_left(asked[0]).any()


def test_a_swap_takes_camera_and_pose_of_the_neighbour_together() -> None:
    camera, pose = torch.arange(4.0)[:, None].expand(4, 25), torch.arange(4.0)[:, None].expand(4, 6) + 10
    rng = torch.tensor([0.1, 0.8, 0.69, 0.7])
    swapped_camera, swapped_pose = swap_labels(camera, pose, 0.7, rng)
    assert swapped_camera[:, 0].tolist() == [3, 1, 1, 3]
    assert torch.equal(swapped_pose[:, 0] - 10, swapped_camera[:, 0])
    assert torch.equal(swap_labels(camera, pose, 0.0, rng)[0], camera)
    assert torch.equal(swap_labels(camera, pose, 1.0, rng)[1], pose.roll(1, dims=0))
