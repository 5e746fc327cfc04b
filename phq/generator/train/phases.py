"""The phases of a step: generator, its regulariser, discriminator, its regulariser; each ends with an optimiser's step.

The formulas are in `phq.generator.train.losses`. A phase computes its part of the batch piece by piece and adds the
gradients up.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import NamedTuple, TypeVar, cast

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from phq.errors import PhqError
from phq.generator.networks.conditioning import swap_labels
from phq.generator.networks.discriminator import Verdict
from phq.generator.networks.filters import resize
from phq.generator.networks.generator import Rendering
from phq.generator.networks.rng import SampleRng
from phq.generator.train import losses
from phq.generator.train.config import RunConfig
from phq.generator.train.data import Conditions, Real
from phq.generator.train.networks import Networks
from phq.generator.train.ranks import Ranks
from phq.generator.train.rng import Purpose, seeds
from phq.generator.train.schedule import Now

Scalars = dict[str, Tensor]
Part = TypeVar("Part", Real, Conditions, tuple[Real, Conditions])


LEAST_SCALE = 2.0**-10
"""Of a loss in float16: some 26 steps in a row overflowed."""


class DivergedError(PhqError):
    """A loss or a gradient is no finite number any more."""


class People(NamedTuple):
    """Whom the generator renders for one part of a batch."""

    ws: Tensor
    """(B, num_ws, style)"""
    ws_background: Tensor
    """(B, num_ws, style), at times a neighbour's."""
    own: Tensor
    """(B, 6), the generator's poses for each."""
    pose: Tensor
    """(B, 6) to render with: the generator's own, or the dataset's."""


class Fakes(NamedTuple):
    """What the generator has made for one part of a batch, without gradients."""

    people: People
    rendering: Rendering
    features: list[Tensor]
    """Of the pictures, for the discriminator on frozen features; empty where they are still to be computed."""


class Phases:
    """What one process does of a step.

    Args:
        config: of the run.
        networks: to be trained.
        ranks: all processes together have a batch.
    """

    def __init__(self, config: RunConfig, networks: Networks, ranks: Ranks) -> None:
        self.config, self.networks, self.ranks = config, networks, ranks
        training = config.training
        self.losses = training.losses
        self._share = training.part / training.batch
        self._finite: dict[str, Tensor] = {}
        self._fakes: list[Fakes] = []

    def generator(self, parts: Sequence[Conditions], now: Now) -> Scalars:
        """Fool the discriminator; stay near the coarse poses at first. Moves the average of w too.

        Raises:
            DivergedError: before anything was changed.
        """
        nets, ws, self._fakes = self.networks, list[Tensor](), []
        learns = now.stage.train_pose
        nets.d.requires_grad_(False)
        if nets.critic is not None:
            nets.critic.requires_grad_(False)
        nets.g.requires_grad_(True)
        if nets.g.pose is not None:
            nets.g.pose.requires_grad_(learns)

        def loss(part: Conditions) -> tuple[Tensor, Scalars]:
            people = self.people(part, now, Purpose.LATENT_G)
            rendering = self.render(people, part, now, Purpose.RENDER_G)
            verdict = self.judge(rendering, part.camera, now)
            fooled, coarse = losses.fooled(verdict.logits), losses.pose_distance(people.own, part.coarse)
            ws.append(people.ws[:, 0].detach())
            total = fooled + now.coarse_pose * coarse if learns and now.coarse_pose else fooled
            features: list[Tensor] = []
            if nets.critic is not None:
                features = nets.critic.look(rendering["image"], part.camera)
                total = total + self.losses.features * losses.admired(nets.critic(features, part.camera))
            if self.config.training.share_fakes:
                self._fakes.append(_detached(people, rendering, features))
            return total, {
                "loss/generator": fooled,
                "pose/generator_to_coarse": coarse,
                "pose/generator_spread": losses.pose_distance(people.own, people.own.mean(dim=0, keepdim=True)),
            }

        scalars = self._run("generator", parts, loss, nets.g, nets.opt_g)
        mean = torch.stack([w.mean(dim=0) for w in ws]).sum(dim=0) * self._share
        nets.g.mapper.update_average(self.ranks.total(mean)[None])
        return scalars

    def density(self, parts: Sequence[Conditions], now: Now) -> Scalars:
        """Densities that change little over a small step.

        Raises:
            DivergedError: before anything was changed.
        """
        nets, settings, box = self.networks, self.losses, self.config.model.render.box
        gain = settings.density * settings.density_every

        def loss(part: Conditions) -> tuple[Tensor, Scalars]:
            ws, rng = self.people(part, now, Purpose.LATENT_G).ws, self._rng(Purpose.DENSITY, part)
            points = (drawn(rng.uniform(settings.density_points, 3)) - 0.5) * box
            step = drawn(rng.normal(settings.density_points, 3)) * (settings.density_step * box)
            here, beside = nets.g.sample_density(torch.cat([points, points + step], dim=1), ws).chunk(2, dim=1)
            uneven = losses.uneven(here, beside)
            return gain * uneven, {"loss/density": uneven}

        return self._run("density", parts, loss, nets.g, nets.opt_g)

    def discriminator(self, parts: Sequence[tuple[Real, Conditions]], now: Now) -> Scalars:
        """Tell fakes from real pictures, and the poses of fakes, which are known.

        Raises:
            DivergedError: before anything was changed.
        """
        nets = self.networks
        nets.d.requires_grad_(True)
        if not self.config.training.share_fakes:
            self._fakes = [self._made(conditions, now) for _, conditions in parts]
        fakes = iter(self._fakes)

        def loss(part: tuple[Real, Conditions]) -> tuple[Tensor, Scalars]:
            real, conditions = part
            people, rendering, _ = next(fakes)
            on_fake = self.judge(rendering, conditions.camera, now)
            on_real = nets.d(*self.shown(real, now), real.camera)
            of_fake, of_real = losses.judged(on_fake.logits, on_real.logits)
            pose = losses.pose_distance(on_fake.pose, people.pose)
            return of_fake + of_real + self.losses.pose * pose, {
                "loss/fake": of_fake,
                "loss/real": of_real,
                "pose/discriminator_of_fakes": pose,
                "pose/discriminator_to_coarse": losses.pose_distance(on_real.pose, real.coarse),
                "sign/fake": on_fake.logits.sign().mean(),
                "sign/real": on_real.logits.sign().mean(),
            }

        return self._run("discriminator", parts, loss, nets.d, nets.opt_d)

    def critic(self, parts: Sequence[tuple[Real, Conditions]]) -> Scalars:
        """Tell the fakes that the discriminator has just seen from real pictures, by frozen features.

        Raises:
            DivergedError: before anything was changed.
        """
        nets, fakes = self.networks, iter(self._fakes)
        critic, optimiser = nets.critic, nets.opt_critic
        assert critic is not None and optimiser is not None
        critic.requires_grad_(True)

        def loss(part: tuple[Real, Conditions]) -> tuple[Tensor, Scalars]:
            real, conditions = part
            made = next(fakes)
            with torch.no_grad():
                on_fake = made.features or critic.look(made.rendering["image"], conditions.camera)
                on_real = critic.look(real.image, real.camera)
            hinge = losses.hinged(critic(on_fake, conditions.camera), critic(on_real, real.camera))
            return hinge, {"loss/features": hinge}

        return self._run("features", parts, loss, critic, optimiser)

    def r1(self, parts: Sequence[Real], now: Now) -> Scalars:
        """Small slopes of the discriminator at real pictures.

        Raises:
            DivergedError: before anything was changed.
        """
        nets, settings = self.networks, self.losses

        def loss(part: Real) -> tuple[Tensor, Scalars]:
            inputs = [picture.detach().requires_grad_() for picture in self.shown(part, now)]
            logits = nets.d(*inputs, part.camera).logits
            penalty = losses.r1(logits, inputs[0], inputs[1], inputs[2], settings.r1, settings.r1_mask)
            return settings.r1_every * penalty, {"loss/r1": penalty}

        with self._uncompiled():  # what torch.compile makes cannot be differentiated twice
            return self._run("R1", parts, loss, nets.d, nets.opt_d)

    @torch.no_grad()
    def _made(self, part: Conditions, now: Now) -> Fakes:
        """New fakes for the discriminator alone."""
        people = self.people(part, now, Purpose.LATENT_D)
        return Fakes(people, self.render(people, part, now, Purpose.RENDER_D), [])

    def people(self, part: Conditions, now: Now, purpose: Purpose) -> People:
        """New people for the cameras of a part, conditioned as the model wants."""
        g, rng = self.networks.g, self._rng(purpose, part)
        z = drawn(rng.normal(self.config.model.latent))
        swap, behind, stated = drawn(rng.uniform(3)).unbind(dim=1)
        own = g.predict_pose(z, part.camera)
        pose = torch.where((stated < now.stated_pose)[:, None], part.coarse, own)
        probability = now.swap if self.config.model.conditioning == "swap" else 0.0
        ws = g.mapping(z, *swap_labels(part.camera, pose, probability, swap))
        return People(ws, losses.swapped(ws, behind, self.losses.background_swap), own, pose)

    def render(self, people: People, part: Conditions, now: Now, purpose: Purpose) -> Rendering:
        """Pictures of people, by the cameras of the part."""
        return self.networks.g.synthesis(
            people.ws,
            part.camera,
            people.pose,
            seeds=seeds(self.config.training.seed, purpose, part.numbers),
            resolution=now.raw,
            density_noise=now.density_noise,
            ws_background=people.ws_background,
        )

    def judge(self, rendering: Rendering, camera: Tensor, now: Now) -> Verdict:
        """The discriminator on fakes, blurred as real pictures are."""
        pictures = self._blurred(rendering["image"], rendering["raw"], now)
        verdict: Verdict = self.networks.d(*pictures, rendering["mask"], camera)
        return verdict

    def shown(self, real: Real, now: Now) -> tuple[Tensor, Tensor, Tensor]:
        """Image, raw image and mask of real pictures, as the discriminator sees them."""
        return (*self._blurred(real.image, resize(real.image, now.raw), now), resize(real.mask, now.raw))

    def _blurred(self, image: Tensor, raw: Tensor, now: Now) -> tuple[Tensor, Tensor]:
        """Both by the same length on the picture; EG3D blurs the real raw image alone, and by as many pixels."""
        raw_sigma = now.blur * raw.shape[-1] / image.shape[-1]
        return losses.blurred(image, now.blur), losses.blurred(raw, raw_sigma)

    def _rng(self, purpose: Purpose, part: Conditions) -> SampleRng:
        return SampleRng(seeds(self.config.training.seed, purpose, part.numbers), part.camera.device)

    def _uncompiled(self) -> AbstractContextManager[object]:
        return torch.compiler.set_stance("force_eager") if self.config.training.compile else nullcontext()

    def _run(
        self,
        name: str,
        parts: Sequence[Part],
        loss: Callable[[Part], tuple[Tensor, Scalars]],
        net: nn.Module,
        optimiser: Optimizer,
    ) -> Scalars:
        """Gradients of all parts of all processes, then the optimiser's step; this process' share of the scalars."""
        optimiser.zero_grad(set_to_none=True)
        sums: Scalars = {}
        scaler = self.networks.scaler_of(optimiser)
        for part in parts:
            value, scalars = loss(part)
            scaler.scale(value * self._share).backward()  # type: ignore[no-untyped-call]
            for key, scalar in scalars.items():
                sums[key] = sums.get(key, 0) + scalar.detach() * self._share
        gradients = self.ranks.share_gradients(list(net.parameters()))
        if scaler.is_enabled():
            scaler.unscale_(optimiser)  # and notes what overflowed: then the weights stay, and the scale sinks
        norm = torch.nn.utils.get_total_norm(gradients)
        self._guard(name, norm, optimiser, scaler.is_enabled())
        scaler.step(optimiser)
        scaler.update()
        return sums | {f"gradient/{name.lower()}": norm / self.ranks.world}

    def check(self) -> None:
        """Ask a GPU whether all gradients since the last time were finite; weights were left alone where not.

        Raises:
            DivergedError: one was not, or the loss scale of float16 has sunk to `LEAST_SCALE`.
        """
        bad = [name for name, finite in self._finite.items() if not finite]
        self._finite = {}
        sunk = any(s.is_enabled() and s.get_scale() < LEAST_SCALE for s in self.networks.scalers.values())
        if bad or sunk:
            raise DivergedError(
                f"the gradient of the {bad[0] if bad else 'float16'} phase is no finite number any more"
            )

    def _guard(self, name: str, norm: Tensor, optimiser: Optimizer, scaled: bool) -> None:
        """Keep an optimiser from a step by numbers that are not finite; on a CPU, say so at once.

        Raises:
            DivergedError: before anything was changed; not where losses are scaled, which finds its scale so.
        """
        finite = torch.isfinite(norm)
        if scaled:
            return
        if norm.device.type == "cpu":
            if not finite:
                raise DivergedError(f"the gradient of the {name} phase is no finite number any more")
            return
        if optimiser.defaults.get("fused"):  # it reads on the GPU whether to step
            optimiser.found_inf = (~finite).float()  # type: ignore[attr-defined]
        self._finite[name] = finite & self._finite.get(name, finite)


def _detached(people: People, rendering: Rendering, features: list[Tensor]) -> Fakes:
    pictures = {name: picture.detach() for name, picture in rendering.items()}  # type: ignore[attr-defined]
    return Fakes(
        People(*(values.detach() for values in people)),
        cast(Rendering, pictures),
        [values.detach() for values in features],
    )


def drawn(numbers: Tensor | None) -> Tensor:
    """Numbers of a `SampleRng` that has seeds."""
    assert numbers is not None
    return numbers
