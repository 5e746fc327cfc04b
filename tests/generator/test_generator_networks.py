"""Generator and discriminator as wholes: what they give, what it depends on, and what it does not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from small_generators import cameras, pictures, small_config, stirred  # noqa: E402

from phq.generator.networks.discriminator import Discriminator  # noqa: E402
from phq.generator.networks.generator import Generator, Rendering  # noqa: E402
from phq.generator.networks.march import interval_weights  # noqa: E402
from phq.generator.networks.rays import camera_rays  # noqa: E402
from phq.generator.networks.volume import stratified  # noqa: E402

YAWS = [0.0, 60.0, 180.0]
POSE = torch.tensor([[0.2, 0, 0, 0, 0.3, 0], [0, 0, 0, 0.1, 0, 0.2], [0, -0.3, 0, 0, 0, 0]])


def generator(**changes: Any) -> Generator:
    """With a volume one can see: an untrained one is as good as empty in front of the background."""
    torch.manual_seed(0)
    network = Generator(small_config(**changes))
    with torch.no_grad():
        network.decoder.out.bias[0] = 12.0
        network.decoder.out.weight[0] *= 4
        for name, parameter in network.named_parameters():
            if name.endswith("strength"):
                parameter.fill_(0.3)
    return network


@pytest.fixture(scope="module")
def network() -> Generator:
    return generator()


def latents(batch: int = 3) -> torch.Tensor:
    return torch.randn(batch, 8, generator=torch.Generator().manual_seed(5))


def styles(network: Generator) -> torch.Tensor:
    return network.mapping(latents(), cameras(YAWS), POSE)


def same(a: Rendering, b: Rendering, tolerance: float = 1e-5) -> bool:
    return all(torch.allclose(a[k], b[k], atol=tolerance) for k in ("image", "raw", "depth", "mask"))


@pytest.mark.parametrize("kind", ["trigrid", "hybrid"])
@pytest.mark.parametrize("conditioning", ["full", "swap", "none"])
def test_shapes_and_ranges(kind: str, conditioning: str) -> None:
    network = generator(planes={"kind": kind}, conditioning=conditioning)
    with torch.no_grad():
        seen = network(latents(), cameras(YAWS), seeds=[1, 2, 3])
    assert {name: tuple(value.shape) for name, value in seen.items()} == {
        "image": (3, 3, 16, 16), "raw": (3, 3, 8, 8), "depth": (3, 1, 8, 8), "mask": (3, 1, 8, 8)
    }  # fmt: skip
    assert network.config.render.near <= float(seen["depth"].min())
    assert float(seen["depth"].max()) <= network.config.render.far
    assert float(seen["mask"].min()) >= -0.0011
    assert float(seen["mask"].max()) <= 1.0011
    assert all(torch.isfinite(value).all() for value in seen.values())


def test_the_same_seeds_give_the_same_picture_in_any_batch(network: Generator) -> None:
    ws, camera = styles(network), cameras(YAWS)
    together = network.synthesis(ws, camera, POSE, seeds=[7, 8, 9], density_noise=0.5)
    assert same(together, network.synthesis(ws, camera, POSE, seeds=[7, 8, 9], density_noise=0.5), 0)
    alone = network.synthesis(ws[1:2], camera[1:2], POSE[1:2], seeds=[8], density_noise=0.5)
    assert same({name: value[1:2] for name, value in together.items()}, alone)  # type: ignore[arg-type]
    assert not same(together, network.synthesis(ws, camera, POSE, seeds=[8, 7, 9], density_noise=0.5))


def test_without_seeds_there_is_no_noise(network: Generator) -> None:
    ws, camera = styles(network), cameras(YAWS)
    assert same(network.synthesis(ws, camera, POSE), network.synthesis(ws, camera, POSE, density_noise=9.0), 0)


def test_density_noise_reaches_the_mask(network: Generator) -> None:
    ws, camera = styles(network), cameras(YAWS)
    clean, noisy = (network.synthesis(ws, camera, seeds=[1, 2, 3], density_noise=n)["mask"] for n in (0.0, 5.0))
    assert float((clean - noisy).abs().max()) > 1e-3


def test_planes_can_be_drawn_once(network: Generator) -> None:
    ws, camera = styles(network), cameras(YAWS)
    planes = network.draw_planes(ws)
    assert same(network.synthesis(ws, camera, POSE, planes=planes), network.synthesis(ws, camera, POSE), 0)


def test_the_side_of_the_raw_image_can_be_chosen(network: Generator) -> None:
    seen = network.synthesis(styles(network), cameras(YAWS), resolution=12)
    assert seen["raw"].shape == (3, 3, 12, 12)
    assert seen["image"].shape == (3, 3, 16, 16)


def test_the_pose_moves_the_head_and_not_the_background(network: Generator) -> None:
    ws, camera = styles(network), cameras(YAWS)
    posed, canonical = (network.synthesis(ws, camera, pose) for pose in (POSE, None))
    assert same(canonical, network.synthesis(ws, camera, torch.zeros(3, 6)))
    assert float((posed["mask"] - canonical["mask"]).abs().max()) > 1e-3
    unable = generator(deformation={"enabled": False})
    assert same(unable.synthesis(ws, camera, POSE), unable.synthesis(ws, camera), 0)


def test_the_background_has_its_own_styles(network: Generator) -> None:
    ws, camera = styles(network), cameras(YAWS)
    behind = torch.randn_like(ws)
    behind[1] = ws[1]
    own, other = (network.synthesis(ws, camera, ws_background=w) for w in (None, behind))
    assert torch.equal(own["mask"], other["mask"])
    change = (own["raw"] - other["raw"]).abs().amax(dim=1)
    assert not change[1].any()
    covered = own["mask"][0, 0]
    assert float(change[0][covered < covered.median()].mean()) > float(change[0][covered >= covered.median()].mean())
    bare = generator(background={"enabled": False})
    assert bare.background is None
    assert torch.isfinite(bare.synthesis(ws, camera)["image"]).all()


def test_gradients_reach_styles_pose_and_every_weight(network: Generator) -> None:
    pose = POSE.clone().requires_grad_()
    network.zero_grad()
    ws = network.mapping(latents(), cameras(YAWS), pose.detach())
    seen = network.synthesis(ws, cameras(YAWS), pose, seeds=[1, 2, 3])
    (seen["image"].square().mean() + seen["mask"].mean()).backward()
    assert pose.grad is not None
    assert (pose.grad.abs().amax(dim=1) > 0).all()
    unused = [n for n, p in network.named_parameters() if p.grad is None and not n.startswith("pose.")]
    assert unused == []


def test_what_is_sampled_is_what_is_rendered() -> None:
    network = generator(render={"fine": 0}, background={"enabled": False})
    ws, camera = styles(network), cameras(YAWS)
    origins, directions = camera_rays(camera, 8)
    render = network.config.render
    depths = stratified(render.near, render.far, 6, torch.full((3, 64, 6), 0.5))
    points = (origins[..., None] + directions[..., None] * depths[:, None]).flatten(2).transpose(1, 2)
    found = network.sample(points, ws, POSE)
    assert found.colour.shape == (3, 384, 3)
    assert torch.equal(found.density, network.sample_density(points, ws, POSE))
    raw = torch.where(found.density > 0, torch.log(torch.expm1(found.density.double())) + 1, -1e3)
    opacity = interval_weights(raw.reshape(3, 64, 6), depths.double()).sum(dim=-1)
    mask = network.synthesis(ws, camera, POSE)["mask"].reshape(3, 64)
    assert float(mask.max()) > 0.2
    assert torch.allclose(opacity.float() * 1.002 - 0.001, mask, atol=1e-4)


def test_nothing_is_beside_the_box(network: Generator) -> None:
    points = torch.tensor([[0.42, 0.1, 0], [0, 0.1, -0.41], [0.38, 0.1, 0.0], [0.0, 0.49, 0.0]]).expand(3, -1, -1)
    assert (network.sample_density(points, styles(network)) > 0).tolist() == [[False, False, True, True]] * 3


def test_what_a_latent_is_mapped_with(network: Generator) -> None:
    z, camera = latents(), cameras(YAWS)
    with pytest.raises(ValueError, match="needs a camera"):
        network.mapping(z)
    assert torch.equal(network.mapping(z, camera), network.mapping(z, camera, torch.zeros(3, 6)))
    assert not torch.allclose(network.mapping(z, camera), network.mapping(z, cameras([5.0, 6.0, 7.0])))
    unconditioned = generator(conditioning="none")
    assert torch.equal(unconditioned.mapping(z, camera, POSE), unconditioned.mapping(z))


def test_truncation_draws_towards_the_average(network: Generator) -> None:
    ws = network.mapping(latents(), cameras(YAWS), POSE, update_average=True)
    assert ws.shape == (3, network.num_ws, 12)
    none = network.mapping(latents(), cameras(YAWS), POSE, truncation=0.0)
    assert torch.equal(none[0], none[2])
    half = network.mapping(latents(), cameras(YAWS), POSE, truncation=0.5)
    assert torch.allclose(half, (ws + none) / 2, atol=1e-6)


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_low_precision_is_near_and_finite(precision: str) -> None:
    exact, rough = generator(), generator(precision=precision)
    rough.load_state_dict(exact.state_dict())
    ws, camera = styles(exact), cameras(YAWS)
    here, there = (n.synthesis(ws, camera, POSE, seeds=[1, 2, 3])["image"] for n in (exact, rough))
    assert there.dtype == torch.float32
    assert 0 < float((here - there).abs().max()) < 0.05 * float(here.abs().max())
    torch.manual_seed(1)
    judges = [Discriminator(small_config(precision=p)) for p in ("float32", precision)]
    judges[1].load_state_dict(judges[0].state_dict())
    here, there = (judge(*pictures(3), camera).logits for judge in judges)
    assert there.dtype == torch.float32
    assert torch.allclose(here, there, atol=0.1 * float(here.abs().max()))


def test_compiled_parts_give_the_same_without_a_break_in_the_graph() -> None:
    plain, compiled = generator(), generator()
    names = list(compiled.state_dict())
    compiled.compile_parts(backend="eager", fullgraph=True)
    assert list(compiled.state_dict()) == names
    ws, camera = styles(plain), cameras(YAWS)
    assert same(*(n.synthesis(ws, camera, POSE, seeds=[1, 2, 3]) for n in (plain, compiled)))
    judge = Discriminator(small_config())
    before = judge(*pictures(3), camera).logits
    judge.compile_parts(backend="eager", fullgraph=True)
    assert torch.allclose(judge(*pictures(3), camera).logits, before)


@pytest.mark.parametrize("own_trunk", [False, True])
@pytest.mark.parametrize("one_pass", [False, True])
def test_a_verdict_is_told_its_pose_but_does_not_teach_it(one_pass: bool, own_trunk: bool) -> None:
    config = small_config(discriminator={"one_pass": one_pass}, pose={"own_trunk": own_trunk})
    network = stirred(Discriminator(config))
    camera = cameras(YAWS)
    verdict = network(*pictures(3), camera)
    assert verdict.logits.shape == (3, 1)
    assert torch.allclose(network(*pictures(3), camera, verdict.pose).logits, verdict.logits)
    assert not torch.allclose(network(*pictures(3), camera, verdict.pose + 1).logits, verdict.logits)
    verdict.logits.sum().backward()
    of_pose = {name for name, _ in network.named_parameters() if name.startswith(("pose.", "pose_trunk."))}
    assert any(name.startswith("pose_trunk.") for name in of_pose) == own_trunk
    for name, parameter in network.named_parameters():
        taught = parameter.grad is not None and bool(parameter.grad.any())
        assert taught != (name in of_pose) or name.endswith("bias"), name


@pytest.mark.parametrize("own_trunk", [False, True])
def test_a_predicted_pose_depends_on_its_picture_alone(own_trunk: bool) -> None:
    network = stirred(Discriminator(small_config(pose={"own_trunk": own_trunk})))
    seen, camera = pictures(4), cameras([0, 50, 120, -30])
    alone = [network.predict_pose(*(p[i : i + 1] for p in seen), camera[i : i + 1]) for i in range(4)]
    assert torch.allclose(torch.cat(alone), network.predict_pose(*seen, camera), atol=1e-6)


@pytest.mark.parametrize("which", range(3))
def test_image_raw_image_and_mask_are_all_looked_at(which: int) -> None:
    network = stirred(Discriminator(small_config()))
    seen, camera = pictures(2), cameras([0, 50])
    changed = list(seen)
    changed[which] = 1 - changed[which]
    here, there = network(*seen, camera), network(*changed, camera)
    assert not torch.allclose(here.logits, there.logits)
    assert not torch.allclose(here.pose, there.pose)


@pytest.mark.parametrize("one_pass", [False, True])
def test_second_derivatives_as_r1_takes_them(one_pass: bool) -> None:
    torch.manual_seed(0)
    network = Discriminator(small_config(discriminator={"one_pass": one_pass})).double()
    camera = cameras([10, -50], dtype=torch.float64)
    seen = [p.double().requires_grad_() for p in pictures(2)]
    assert torch.autograd.gradgradcheck(lambda *p: network(*p, camera).logits, seen, fast_mode=True, atol=1e-4)


def test_r1_of_the_image_is_the_slope_of_the_logit() -> None:
    """‖∇‖² by autograd against steps along the gradient."""
    torch.manual_seed(0)
    network = Discriminator(small_config()).double()
    camera = cameras([10], dtype=torch.float64)
    image, raw, mask = (p.double() for p in pictures(1))
    image.requires_grad_()
    (slope,) = torch.autograd.grad(network(image, raw, mask, camera).logits.sum(), image, create_graph=True)
    with torch.no_grad():
        ends = [network(image + side * 1e-6 * slope, raw, mask, camera).logits for side in (1, -1)]
    assert float(slope.square().sum()) == pytest.approx(float((ends[0] - ends[1]) / 2e-6), rel=1e-4)
    assert slope.requires_grad


def test_numbers_of_a_trained_state_can_be_stored() -> None:
    """No shared, unnamed or non-contiguous tensors, which safetensors refuses."""
    for network in (generator(), Discriminator(small_config())):
        state = network.state_dict()
        pointers = [value.data_ptr() for value in state.values()]
        assert len(set(pointers)) == len(pointers)
        assert all(value.is_contiguous() for value in state.values())
        assert not any("deformation" in name for name in state)
        assert np.isfinite(sum(float(value.double().sum()) for value in state.values()))
