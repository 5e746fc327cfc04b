"""What is trained: generator, discriminator, their averages and their optimisers, as one object with one state."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.amp import GradScaler
from torch.optim import Adam, Optimizer

from phq.errors import InputError
from phq.generator.networks.critic import FeatureCritic
from phq.generator.networks.discriminator import Discriminator
from phq.generator.networks.generator import Generator
from phq.generator.train.config import RunConfig, Training

AVERAGES = ("g_ema", "d_ema")
"""What is used after training: the discriminator's too, since it tells poses."""
SMALL = 64
"""Side of images up to which weights have their channels last on a CPU; see `weight_layout`."""


class Networks:
    """On one device; the same on every process that makes it with the same configuration.

    Args:
        config: of the run; its seed fixes the first weights.
        device: where they are.
    """

    def __init__(self, config: RunConfig, device: torch.device) -> None:
        training = config.training
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(training.seed)
            self.g, self.d = Generator(config.model), Discriminator(config.model)
            self.critic = FeatureCritic(training.losses.features_side) if training.losses.features else None
        self.g_ema = copy.deepcopy(self.g).eval().requires_grad_(False)
        self.d_ema = copy.deepcopy(self.d).eval().requires_grad_(False)
        for net in self._modules().values():
            net.to(device, memory_format=weight_layout(config, device))  # type: ignore[call-overload]
        if training.compile:
            self.g.compile_parts()
            self.d.compile_parts()
        rates, losses = training.optimisers, training.losses
        every = losses.density_every if losses.density else None
        self.opt_g = _adam(self.g, rates.rate_g, rates.betas, every, device)
        self.opt_d = _adam(self.d, rates.rate_d, rates.betas, losses.r1_every, device)
        self.opt_critic = (
            None if self.critic is None else _adam(self.critic, rates.rate_features, rates.betas, None, device)
        )
        scaled = config.model.precision == "float16"
        self.scalers = {part: GradScaler(device.type, enabled=scaled) for part, _ in self._optimisers()}
        """Of the losses, by optimiser: gradients in float16 would be zero; idle in other types."""

    def set_rates(self, training: Training) -> None:
        """Learning rates of a configuration that may have changed since the state was saved."""
        fresh = training.optimisers
        every = training.losses.density_every if training.losses.density else None
        self.opt_g.param_groups[0].update(_settings(fresh.rate_g, fresh.betas, every))
        self.opt_d.param_groups[0].update(_settings(fresh.rate_d, fresh.betas, training.losses.r1_every))
        if self.opt_critic is not None:
            self.opt_critic.param_groups[0].update(_settings(fresh.rate_features, fresh.betas, None))

    def scaler_of(self, optimiser: Optimizer) -> GradScaler:
        """The loss scaler of one of the optimisers."""
        return next(self.scalers[part] for part, own in self._optimisers() if own is optimiser)

    @torch.no_grad()
    def average(self, decay: float) -> None:
        """Take today's weights into the averages, of which `decay` is left; buffers are taken as they are."""
        pairs: tuple[tuple[nn.Module, nn.Module], ...] = ((self.g, self.g_ema), (self.d, self.d_ema))
        for net, ema in pairs:
            mine: list[Tensor] = list(ema.parameters())
            theirs: list[Tensor] = list(net.parameters())
            torch._foreach_lerp_(mine, theirs, 1 - decay)
            for buffer, fresh in zip(ema.buffers(), net.buffers(), strict=True):
                buffer.copy_(fresh)

    def tensors(self) -> dict[str, Tensor]:
        """Everything by name: ``g.…``, ``d.…``, ``g_ema.…``, ``d_ema.…``, ``opt_g.NUMBER.…``, ``opt_d.NUMBER.…``."""
        found = {f"{part}.{k}": v for part, net in self._modules().items() for k, v in net.state_dict().items()}
        for part, optimiser in self._optimisers():
            for number, values in optimiser.state_dict()["state"].items():
                found.update({f"{part}.{number}.{name}": value for name, value in values.items()})
        return found

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Take the state that `tensors` gave.

        Raises:
            InputError: it is of networks of other shapes.
        """
        for part, net in self._modules().items():
            load_weights(net, under(part, tensors), "the checkpoint")
        for part, optimiser in self._optimisers():
            parameters, state = optimiser.param_groups[0]["params"], dict[int, dict[str, Tensor]]()
            for name, value in under(part, tensors).items():
                number, _, what = name.partition(".")
                state.setdefault(int(number), {})[what] = _laid_out(value, parameters[int(number)])
            optimiser.load_state_dict({"state": state, "param_groups": optimiser.state_dict()["param_groups"]})

    def start_from(self, tensors: Mapping[str, Tensor], source: str | Path) -> None:
        """Begin with averaged networks, of which only the generator's must be among the tensors.

        Raises:
            InputError: they are of networks of other shapes; `source` is named.
        """
        for average, nets in zip(AVERAGES, ((self.g, self.g_ema), (self.d, self.d_ema)), strict=True):
            if state := under(average, tensors):
                for net in nets:
                    load_weights(net, state, source)

    def _modules(self) -> dict[str, nn.Module]:
        found: dict[str, nn.Module] = {"g": self.g, "d": self.d, "g_ema": self.g_ema, "d_ema": self.d_ema}
        return found if self.critic is None else found | {"critic": self.critic}

    def _optimisers(self) -> Iterator[tuple[str, Adam]]:
        yield from (("opt_g", self.opt_g), ("opt_d", self.opt_d))
        if self.opt_critic is not None:
            yield "opt_critic", self.opt_critic


def _laid_out(value: Tensor, like: Tensor) -> Tensor:
    """With the strides of `like`, unless it is one number: fused Adam pairs elements by their order in memory."""
    return torch.empty_like(like).copy_(value) if value.dim() else value


def weight_layout(config: RunConfig, device: torch.device) -> torch.memory_format:
    """How weights of convolutions lie in memory, and with them the maps that they compute.

    With the channels last, oneDNN takes up to four times as long on a CPU for the gradient of weights where maps are
    large, and a little less for all together where they are small.
    """
    last = config.training.channels_last and (device.type != "cpu" or config.model.resolution <= SMALL)
    return torch.channels_last if last else torch.contiguous_format


def load_weights(net: nn.Module, state: Mapping[str, Tensor], source: str | Path) -> None:
    """Take weights.

    Raises:
        InputError: they are of a network of other shapes; `source` is named.
    """
    try:
        net.load_state_dict(state)
    except RuntimeError as error:
        what = str(error).splitlines()[-1].strip()
        raise InputError(f"{source} does not fit the model: {what}") from None


def under(part: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Tensors of one part, by their names in it."""
    prefix = part + "."
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def _adam(net: nn.Module, rate: float, betas: tuple[float, float], every: int | None, device: torch.device) -> Adam:
    """Fused: on a GPU one kernel for all weights, and none of them asks the host; on a CPU a sixth of the time."""
    fused = True if device.type in ("cpu", "cuda") else None
    return Adam(net.parameters(), fused=fused, **_settings(rate, betas, every))


def _settings(rate: float, betas: tuple[float, float], every: int | None) -> dict[str, Any]:
    """Of an Adam that takes one more step in `every` for a regulariser (Karras et al. 2020, appendix B)."""
    share = 1.0 if every is None else every / (every + 1)
    return {"lr": rate * share, "betas": (betas[0] ** share, betas[1] ** share)}
