"""Frozen features: the embedded network's own numbers, and what a discriminator on them keeps and is symmetric in."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import helper
from torch import Tensor

from phq.camera.convention import intrinsics, orbit
from phq.generator.networks import symmetry
from phq.generator.networks.critic import FeatureCritic
from phq.generator.networks.features import LAYERS, MEAN, STD, WIDTHS, ImageFeatures
from phq.weights.embedded import checked_path


@pytest.fixture(scope="module")
def critic() -> FeatureCritic:
    torch.manual_seed(0)
    return FeatureCritic(64).eval()


def pictures(count: int) -> Tensor:
    return torch.rand(count, 3, 64, 64, generator=torch.Generator().manual_seed(1)) * 2 - 1


def cameras(*yaws: float) -> Tensor:
    labels = [[*orbit(yaw, 5).ravel(), *intrinsics().ravel()] for yaw in yaws]
    return torch.tensor(np.array(labels), dtype=torch.float32)


def test_features_are_those_of_onnx_runtime():
    model = onnx.load(checked_path("mobilenetv2"))
    model.graph.output.extend(helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in LAYERS)
    for size in model.graph.input[0].type.tensor_type.shape.dim[2:]:
        size.dim_param = "side"
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    images = pictures(2)
    inputs = ((images + 1) / 2 - torch.tensor(MEAN)[:, None, None]) / torch.tensor(STD)[:, None, None]
    expected = session.run(list(LAYERS), {"x": inputs.numpy()})
    for seen, own, width, shrink in zip(ImageFeatures(64)(images), expected, WIDTHS, (4, 8, 16, 32), strict=True):
        assert seen.shape == (2, width, 64 // shrink, 64 // shrink)
        np.testing.assert_allclose(seen.numpy(), own, atol=2e-4 * np.abs(own).max())


def test_features_are_not_part_of_the_state(critic: FeatureCritic):
    assert not [name for name in critic.state_dict() if name.startswith("features")]
    assert not list(critic.features.parameters())


def test_a_mirrored_picture_by_the_mirrored_camera_is_judged_the_same(critic: FeatureCritic):
    images, camera = pictures(2), cameras(30, -100)
    logits = critic(critic.look(images, camera), camera)
    turned = symmetry.mirror_camera(camera)
    mirrored = critic(critic.look(symmetry.mirror_images(images), turned), turned)
    for one, other in zip(logits, mirrored, strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-4)


def test_pictures_are_judged_with_their_cameras(critic: FeatureCritic):
    features = critic.look(pictures(1), cameras(-30))
    front, back = (critic(features, cameras(yaw)) for yaw in (-30, -150))
    assert all((a - b).abs().max() > 1e-3 for a, b in zip(front, back, strict=True))
