"""Distances of sets of pictures: the Fréchet distance against closed forms and a slow twin, and what goes into it."""

from __future__ import annotations

import sys
from types import ModuleType

import numpy as np
import pytest
import torch
from scipy.linalg import sqrtm
from scipy.stats import ortho_group

from phq.camera.sides import on_sides, side_of
from phq.generator.evaluate import inception
from phq.generator.evaluate.distances import distances, frechet_distance
from phq.generator.evaluate.fakes import latents, partners
from phq.generator.evaluate.features import MobileNetV2


def gaussian(rng: np.random.Generator, count: int, mean: np.ndarray, root: np.ndarray) -> np.ndarray:
    """(count, D) samples whose mean and covariance are `mean` and root·rootᵀ exactly, not only on average."""
    x = rng.standard_normal((count, len(mean)))
    x -= x.mean(axis=0)
    white = x @ np.linalg.inv(np.linalg.cholesky(np.cov(x.T))).T
    return white @ root.T + mean


def slow_frechet(a: np.ndarray, b: np.ndarray) -> float:
    """The formula as it stands."""
    A, B = np.cov(a.T), np.cov(b.T)
    root = sqrtm(A @ B)
    return float(((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(A + B - 2 * root.real))


def test_frechet_distance_of_gaussians_in_closed_form():
    rng = np.random.default_rng(0)
    turn = ortho_group.rvs(5, random_state=1)
    sa, sb = rng.uniform(0.2, 3, 5), rng.uniform(0.2, 3, 5)
    shift = rng.normal(size=5)
    a = gaussian(rng, 40, np.zeros(5), turn @ np.diag(sa))
    b = gaussian(rng, 60, shift, turn @ np.diag(sb))
    assert frechet_distance(a, b) == pytest.approx((shift**2).sum() + ((sa - sb) ** 2).sum(), rel=1e-9)


@pytest.mark.parametrize("count", [300, 17])
def test_frechet_distance_is_the_slow_one(count):
    rng = np.random.default_rng(count)
    a = rng.standard_normal((count, 24)) @ rng.standard_normal((24, 24))
    b = rng.standard_normal((count, 24)) @ rng.standard_normal((24, 24)) + 0.5
    # with fewer samples than features the product is singular, and the root of it good to half the digits
    assert frechet_distance(a, b) == pytest.approx(slow_frechet(a, b), rel=1e-8 if count > 24 else 1e-4)
    assert frechet_distance(a, b) == pytest.approx(frechet_distance(b, a), rel=1e-12)


def test_frechet_distance_of_a_set_to_itself_and_to_one_picture():
    a = np.random.default_rng(3).standard_normal((20, 50)).astype(np.float32)
    assert frechet_distance(a, a) == pytest.approx(0, abs=1e-9)
    copies = np.repeat(a.mean(0)[None], 7, axis=0)
    spread = a.astype(float).var(axis=0, ddof=1).sum()
    assert frechet_distance(a, copies) == pytest.approx(spread, rel=1e-6)
    assert frechet_distance(a, copies[:1]) == pytest.approx(spread, rel=1e-6)
    with pytest.raises(ValueError, match="of one length"):
        frechet_distance(a, a[:, :4])


def test_features_of_a_picture_depend_on_no_other_and_tell_pictures_apart():
    rng = np.random.default_rng(0)
    small = rng.integers(0, 256, (3, 64, 64, 3), dtype=np.uint8)
    small[2] = 128
    net = MobileNetV2()
    features = net(small)
    assert features.shape == (3, 1280)
    np.testing.assert_array_equal(net(small[1:2])[0], features[1])
    large = np.repeat(np.repeat(small, 7, axis=1), 7, axis=2)  # 448²: shrunk by area
    shrunk = net(large)
    assert np.abs(shrunk[2] - features[2]).max() < 1e-4  # a grey picture is one at any side
    assert np.linalg.norm(features[0] - features[2]) > 1


def test_distances_are_between_pictures_of_the_same_cameras():
    rng = np.random.default_rng(0)
    yaw = np.array([0, 10, -50, 90, -100, 61, 180, -130, 121.0])
    real = rng.standard_normal((20, 6))
    near = real[:9]
    worse = near + np.where(on_sides(yaw)["back"], 3.0, 0.0)[:, None]
    found = distances(real, {"coupled": worse, "untrained": near + 30.0}, near.mean(0), yaw)
    assert found["images"] == {"all": 9, "front": 3, "side": 3, "back": 3}
    assert found["coupled"]["front"] == pytest.approx(0, abs=1e-9)
    assert found["coupled"]["back"] == pytest.approx(9 * 6)
    assert found["untrained"]["all"] == pytest.approx(900 * 6)
    assert found["fall"] == pytest.approx(1 - found["coupled"]["all"] / (900 * 6))
    assert found["mean_image"] == pytest.approx(near.var(axis=0, ddof=1).sum())
    assert found["real_halves"]["images"] == 10


def test_a_side_with_one_picture_has_no_distance():
    real = np.random.default_rng(0).standard_normal((4, 3))
    found = distances(real, {"coupled": real}, real[0], np.array([0.0, 10, 20, 180]))
    assert found["coupled"]["back"] is None
    assert found["coupled"]["front"] == pytest.approx(0, abs=1e-9)


def test_sides_meet_at_60_and_120_degrees():
    yaws = (0, 60, -60, 61, -119, 120, 180, -180, 300, 420)
    assert [side_of(yaw) for yaw in yaws] == ["front"] * 3 + ["side"] * 2 + ["back"] * 3 + ["front"] * 2


@pytest.mark.parametrize("count", [2, 3, 50])
def test_a_decoupled_person_is_told_somebody_elses_camera(count):
    partner = partners(count, seed=4)
    assert sorted(partner) == list(range(count))
    assert not (partner == np.arange(count)).any()


def test_latents_do_not_depend_on_how_many_there_are():
    assert torch.equal(latents(5, 8, seed=1), latents(9, 8, seed=1)[:5])
    assert not torch.equal(latents(5, 8, seed=1), latents(5, 8, seed=2))


class Stub:
    """In the place of torch-fidelity's network: the mean colour, twice."""

    def __init__(self, name: str, layers: list[str], weights: str) -> None:
        assert layers == ["2048"]
        self.weights = weights

    def to(self, device: torch.device) -> Stub:
        return self

    def __call__(self, images: torch.Tensor) -> tuple[torch.Tensor]:
        assert images.dtype == torch.uint8
        return (images.float().mean(dim=(2, 3)).repeat(1, 2),)


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """An empty folder where torch keeps what was downloaded, and a network whose name has the hash of b"weights"."""
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setattr(inception, "WEIGHTS", "stub-9a129038.pth")
    (tmp_path / "checkpoints").mkdir()
    return tmp_path / "checkpoints" / "stub-9a129038.pth"


def test_without_its_weights_there_is_no_fid_and_it_is_said(hub):
    assert f"{hub} is not there" in inception.find_inception(torch.device("cpu"))
    hub.write_bytes(b"anything")
    assert "not the file that its name says" in inception.find_inception(torch.device("cpu"))


def test_without_torch_fidelity_it_is_said(hub, monkeypatch):
    hub.write_bytes(b"weights")
    monkeypatch.setitem(sys.modules, "torch_fidelity.feature_extractor_inceptionv3", None)
    assert "pip install torch-fidelity" in inception.find_inception(torch.device("cpu"))


def test_with_both_pictures_go_through_it_as_bytes(hub, monkeypatch):
    hub.write_bytes(b"weights")
    module = ModuleType("torch_fidelity.feature_extractor_inceptionv3")
    module.FeatureExtractorInceptionV3 = Stub
    monkeypatch.setitem(sys.modules, "torch_fidelity", ModuleType("torch_fidelity"))
    monkeypatch.setitem(sys.modules, module.__name__, module)
    found = inception.find_inception(torch.device("cpu"))
    assert found.net.weights == str(hub)
    images = np.random.default_rng(0).integers(0, 256, (2, 8, 8, 3), dtype=np.uint8)
    np.testing.assert_allclose(found(images)[:, :3], images.mean(axis=(1, 2)), rtol=1e-5)
