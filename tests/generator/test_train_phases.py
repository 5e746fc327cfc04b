"""What a phase does to which weights, whatever the batch is cut into."""

from __future__ import annotations

import copy
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from training_dataset import SETS

from phq.camera.convention import intrinsics, orbit
from phq.generator.train.config import RunConfig, load_run_config
from phq.generator.train.data import Conditions, Real
from phq.generator.train.networks import Networks
from phq.generator.train.phases import DivergedError, Phases
from phq.generator.train.ranks import Ranks
from phq.generator.train.rng import Purpose
from phq.generator.train.schedule import Now, now

CPU = torch.device("cpu")
ALONE = Ranks(0, 1, CPU)
LATER = 20
"""Images; in the second stage, in which the generator's pose predictor is frozen."""


def configured(*sets: str) -> RunConfig:
    return load_run_config("tiny", sets=[*SETS, *sets])


def made(config: RunConfig) -> Phases:
    networks = Networks(config, CPU)
    with torch.no_grad():  # predictors start at the rest pose, for every latent
        for net in (networks.g, networks.d):
            net.pose.layers[-1].weight.normal_(std=0.3, generator=torch.Generator().manual_seed(1))
    return Phases(config, networks, ALONE)


def cameras(count: int) -> Tensor:
    labels = [[*orbit(37.0 * i, 5).ravel(), *intrinsics().ravel()] for i in range(count)]
    return torch.tensor(np.array(labels), dtype=torch.float32)


def conditions(count: int, part: int) -> list[Conditions]:
    coarse = torch.randn(count, 6, generator=torch.Generator().manual_seed(5)) * 0.2
    both = zip(cameras(count).split(part), coarse.split(part), strict=True)
    return [Conditions(range(i * part, i * part + len(c)), c, p) for i, (c, p) in enumerate(both)]


def real(count: int, part: int, coarse: float = 0.0) -> list[Real]:
    g = torch.Generator().manual_seed(3)
    image, mask = torch.rand(count, 3, 16, 16, generator=g) * 2 - 1, torch.rand(count, 1, 16, 16, generator=g)
    poses = torch.full((count, 6), coarse)
    return [Real(*four) for four in zip(*(t.split(part) for t in (image, mask, cameras(count), poses)), strict=True)]


def weights(net: nn.Module) -> dict[str, Tensor]:
    return copy.deepcopy(net.state_dict())


def changed(net: nn.Module, before: dict[str, Tensor]) -> set[str]:
    return {name for name, value in net.state_dict().items() if not torch.equal(value, before[name])}


def after_all_phases(part: int) -> tuple[Phases, dict[str, float]]:
    # no swaps: a neighbour is one of the same part
    phases = made(configured(f"training.part={part}", "model.discriminator.group=2", "training.losses.swap=[0.0, 0.0]",
                             "training.losses.background_swap=0.0"))  # fmt: skip
    today, scalars = now(phases.config.training, 0), {}
    scalars |= phases.generator(conditions(4, part), today)
    scalars |= phases.density(conditions(4, part), today)
    scalars |= phases.discriminator(list(zip(real(4, part), conditions(4, part), strict=True)), today)
    scalars |= phases.r1(real(4, part), today)
    return phases, {name: float(value) for name, value in scalars.items()}


def test_a_batch_in_parts_is_the_batch():
    (whole, in_whole), (halves, in_halves) = after_all_phases(4), after_all_phases(2)
    assert in_whole.pop("pose/generator_spread") != in_halves.pop("pose/generator_spread")  # about the mean of a part
    assert in_whole == pytest.approx(in_halves, rel=1e-4, abs=1e-6)
    assert {"loss/r1", "loss/density", "pose/discriminator_of_fakes", "gradient/r1"} <= set(in_whole)
    for name in ("g", "d"):
        for one, other in zip(*(getattr(p.networks, name).state_dict().values() for p in (whole, halves)), strict=True):
            torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


def test_generator_phase_moves_the_generator_alone():
    phases = made(configured())
    nets = phases.networks
    g, d = weights(nets.g), weights(nets.d)
    phases.generator(conditions(4, 4), now(phases.config.training, 0))
    moved = changed(nets.g, g)
    assert not changed(nets.d, d)
    assert {name.split(".")[0] for name in moved} >= {"backbone", "mapper", "decoder", "superres", "pose", "background"}
    assert "mapper.average" in moved


def test_average_style_is_that_of_the_batch():
    phases = made(configured("training.part=2"))
    styles: list[Tensor] = []
    phases.networks.g.mapper.register_forward_hook(lambda *call: styles.append(call[-1].detach()))
    phases.generator(conditions(4, 2), now(phases.config.training, 0))
    expected = 0.002 * torch.cat(styles).mean(dim=0)
    torch.testing.assert_close(phases.networks.g.mapper.average, expected)


def test_discriminator_phases_move_the_discriminator_alone():
    phases = made(configured())
    nets, today = phases.networks, now(phases.config.training, 0)
    g, d = weights(nets.g), weights(nets.d)
    phases.discriminator(list(zip(real(4, 4), conditions(4, 4), strict=True)), today)
    assert any(name.startswith("pose") for name in changed(nets.d, d))
    d = weights(nets.d)
    phases.r1(real(4, 4), today)
    assert changed(nets.d, d)
    assert not changed(nets.g, g)


def judged_pictures(phases: Phases) -> list[Tensor]:
    """The pictures that the discriminator is given, in order."""
    seen: list[Tensor] = []
    phases.networks.d.register_forward_pre_hook(lambda _net, inputs: seen.append(inputs[0].detach().clone()))
    return seen


@pytest.mark.parametrize("share", [False, True])
def test_fakes_are_shared_where_that_is_configured(share: bool):
    phases = made(configured(f"training.share_fakes={str(share).lower()}"))
    seen, today = judged_pictures(phases), now(phases.config.training, 0)
    pairs = list(zip(real(4, 2), conditions(4, 2), strict=True))
    phases.generator([fakes for _, fakes in pairs], today)
    g = weights(phases.networks.g)
    phases.discriminator(pairs, today)
    by_generator, by_discriminator = seen[:2], seen[2::2]
    assert [torch.equal(*two) for two in zip(by_generator, by_discriminator, strict=True)] == [share, share]
    assert not changed(phases.networks.g, g)


@pytest.mark.parametrize("share", [False, True])
def test_the_critic_learns_in_its_phase_alone_and_teaches_the_generator(share: bool):
    sets = [
        "training.losses.features=1",
        "training.losses.features_side=32",
        f"training.share_fakes={str(share).lower()}",
    ]
    phases, without = made(configured(*sets)), made(configured(*sets[2:]))
    nets, today = phases.networks, now(phases.config.training, 0)
    assert nets.critic is not None
    pairs = list(zip(real(4, 4), conditions(4, 4), strict=True))
    before, frozen = weights(nets.critic), [b.clone() for b in nets.critic.features.buffers()]
    for run in (phases, without):
        run.generator([fakes for _, fakes in pairs], today)
        run.discriminator(pairs, today)
    parameters = {name for name, _ in nets.critic.named_parameters()}
    assert not changed(nets.critic, before) & parameters
    assert changed(nets.g, weights(without.networks.g))
    g, d = weights(nets.g), weights(nets.d)
    found = [float(phases.critic(pairs)["loss/features"]) for _ in range(15)]
    assert found[-1] < 0.9 * found[0]
    assert parameters <= changed(nets.critic, before)
    assert not changed(nets.g, g)
    assert not changed(nets.d, d)
    assert all(torch.equal(*two) for two in zip(frozen, nets.critic.features.buffers(), strict=True))


@pytest.mark.parametrize(("phase", "every"), [("r1", "r1_every"), ("density", "density_every")])
def test_a_regulariser_applied_seldom_weighs_as_much_more(phase: str, every: str):
    gradients = []
    for steps in (1, 7):
        phases = made(configured(f"training.losses.{every}={steps}"))
        parts = real(4, 4) if phase == "r1" else conditions(4, 4)
        scalars = getattr(phases, phase)(parts, now(phases.config.training, 0))
        gradients.append(float(scalars[f"gradient/{phase}"]))
    assert gradients[1] == pytest.approx(7 * gradients[0], rel=1e-3)
    assert gradients[0] > 0


def test_coarse_poses_of_real_pictures_are_never_a_target():
    found = []
    for coarse in (0.0, 1.0):
        phases = made(configured())
        pairs = list(zip(real(4, 4, coarse), conditions(4, 4), strict=True))
        scalars = phases.discriminator(pairs, now(phases.config.training, 0))
        found.append((float(scalars["pose/discriminator_to_coarse"]), phases.networks.d.state_dict()))
    assert found[1][0] > found[0][0] + 1
    assert all(torch.equal(found[0][1][name], value) for name, value in found[1][1].items())


def test_frozen_pose_predictor_stays_while_the_rest_learns():
    phases = made(configured())
    today, g = now(phases.config.training, LATER), weights(phases.networks.g)
    assert not today.stage.train_pose
    phases.generator(conditions(4, 4), today)
    moved = changed(phases.networks.g, g)
    assert moved
    assert not any(name.startswith("pose") for name in moved)
    phases.generator(conditions(4, 4), now(phases.config.training, 0))
    assert any(name.startswith("pose") for name in changed(phases.networks.g, g))


def pose_steps(phases: Phases, today: Now, steps: int) -> Iterator[float]:
    for _ in range(steps):
        yield float(phases.generator(conditions(4, 4), today)["pose/generator_to_coarse"])


def test_coarse_poses_draw_the_generator_near_until_they_fade():
    phases = made(configured("training.losses.coarse_pose=50.0", "training.optimisers.rate_g=0.01"))
    first, *_, last = pose_steps(phases, now(phases.config.training, 0), 16)
    assert last < 0.5 * first
    phases = made(configured("training.losses.coarse_pose=50.0", "training.stages=[{until_kimg=1.0, raw=[8, 8]}]"))
    faded = now(phases.config.training, LATER)
    assert faded.coarse_pose == 0.0
    poses = [p.coarse.clone() for p in conditions(4, 4)]
    grads = []
    for shift in (0.0, 5.0):
        twin = made(phases.config)
        part = conditions(4, 4)
        part[0].coarse.copy_(poses[0] + shift)
        twin.generator(part, faded)
        grads.append(twin.networks.g.state_dict())
    assert all(torch.equal(grads[0][name], value) for name, value in grads[1].items())


def test_discriminator_learns_the_pose_that_a_fake_was_rendered_with():
    phases = made(configured("training.losses.pose=100.0", "training.optimisers.rate_d=0.02"))
    today, pairs = now(phases.config.training, LATER), list(zip(real(4, 4), conditions(4, 4), strict=True))
    found = [float(phases.discriminator(pairs, today)["pose/discriminator_of_fakes"]) for _ in range(24)]
    assert found[-1] < 0.2 * found[0]


def test_stated_poses_are_rendered_for_their_share_of_fakes():
    phases = made(configured("training.losses.stated_pose=[1.0, 0.5]"))
    (part,) = conditions(64, 64)
    people = phases.people(part, now(phases.config.training, 0), Purpose.LATENT_G)
    assert torch.equal(people.pose, part.coarse)
    later = phases.people(part, now(phases.config.training, LATER), Purpose.LATENT_G)
    stated, own = ((later.pose == poses).all(dim=1) for poses in (part.coarse, later.own))
    assert torch.equal(stated, ~own)
    assert 16 < stated.sum() < 48
    assert torch.equal(people.own, later.own)


@pytest.mark.parametrize("phase", ["generator", "discriminator", "r1"])
def test_nan_stops_before_anything_changes(phase: str):
    phases = made(configured())
    nets, today = phases.networks, now(phases.config.training, 0)
    bad, good = real(4, 4), conditions(4, 4)
    bad[0].image[0, 0, 0, 0] = float("nan")
    good[0].coarse[0, 0] = float("nan") if phase == "generator" else 0.0
    g, d = weights(nets.g), weights(nets.d)
    batches = {"generator": good, "discriminator": list(zip(bad, good, strict=True)), "r1": bad}
    with pytest.raises(DivergedError, match="no finite number"):
        getattr(phases, phase)(batches[phase], today)
    assert not changed(nets.g, g)
    assert not changed(nets.d, d)


def test_no_swap_without_conditioning_on_a_swapped_label():
    """`full` conditions every sample on its own camera, whatever the schedule says."""
    phases = made(configured("model.conditioning='full'"))
    part = conditions(4, 4)[0]
    alone = [Conditions(range(i, i + 1), part.camera[i : i + 1], part.coarse[i : i + 1]) for i in range(4)]
    today = now(phases.config.training, 0)
    assert today.swap == 1.0
    together = phases.people(part, today, Purpose.LATENT_G).ws
    apart = torch.cat([phases.people(one, today, Purpose.LATENT_G).ws for one in alone])
    torch.testing.assert_close(together, apart)
    swapping = made(configured())
    torch.testing.assert_close(
        swapping.people(part, today, Purpose.LATENT_G).pose, phases.people(part, today, Purpose.LATENT_G).pose
    )
    assert not torch.allclose(swapping.people(part, today, Purpose.LATENT_G).ws, together)


def test_averages_follow_and_keep_buffers():
    nets = Networks(configured(), CPU)
    before = weights(nets.g_ema)
    with torch.no_grad():
        for p in nets.g.parameters():
            p.add_(1.0)
        nets.g.mapper.average.fill_(3.0)
    nets.average(0.9)
    for name, p in nets.g_ema.named_parameters():
        torch.testing.assert_close(p.data, before[name] + 0.1)
    assert float(nets.g_ema.mapper.average[0]) == 3.0


def test_a_regulariser_s_extra_step_slows_adam_down():
    nets = Networks(configured("training.losses.r1_every=16", "training.losses.density=0.0"), CPU)
    d, g = nets.opt_d.param_groups[0], nets.opt_g.param_groups[0]
    assert d["lr"] == pytest.approx(0.002 * 16 / 17)
    assert d["betas"] == pytest.approx((0.0, 0.99 ** (16 / 17)))
    assert (g["lr"], *g["betas"]) == pytest.approx((0.0025, 0.0, 0.99))
