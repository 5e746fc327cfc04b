"""Weights of published networks under phq's names, and a word on each that has no place."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from phq.errors import InputError
from phq.generator.networks.conditioning import LABELS
from phq.generator.networks.discriminator import CHANNELS, LAST
from phq.generator.networks.filters import TAPS
from phq.generator.networks.mapping import RATE
from phq.generator.networks.synthesis import FIRST
from phq.generator.published.pickles import Network

NO_PLACE = {
    r"(.*\.)?resample_filter": "the filter [1, 3, 3, 1], which phq's layers have of their own",
    r"superresolution\..*\.noise_(strength|const)": "noise of super-resolution, which is switched off",
    r"t_mapping\..*": "shifts of the camera, which the published code applies while it trains and never to show people",
    r"toparsing\..*": "the parsing of faces, which phq does not draw",
    r"renderer\..*": "the body that deforms space; phq deforms by a smooth field of its own",
}
"""Patterns of names, and why phq has no place for such tensors."""


@dataclass
class Source:
    """The tensors of one published network, taken one after the other."""

    network: Network
    left: dict[str, Tensor] = field(init=False)
    """Those that were not taken yet."""
    found: dict[str, Tensor] = field(default_factory=dict)
    """By phq's names."""
    taken: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.left = dict(Network.tensors(self.network))

    def take(self, name: str) -> Tensor:
        """A tensor in float32.

        Raises:
            InputError: there is none of that name.
        """
        if name not in self.left:
            raise InputError(f"the checkpoint lacks {name}")
        self.taken.append(name)
        return self.left.pop(name).float()

    def copy(self, ours: str, theirs: str) -> None:
        """Take one as it is."""
        self.found[ours] = self.take(theirs)

    def dense(self, ours: str, theirs: str, rate: float = 1.0) -> None:
        """A fully connected layer, whose learning rate beside the others' is `rate` in phq."""
        factor = self._rate(theirs) / rate
        self.found[f"{ours}.weight"] = self.take(f"{theirs}.weight") * factor
        self.found[f"{ours}.bias"] = self.take(f"{theirs}.bias") * factor

    def conv(self, ours: str, theirs: str) -> None:
        """A convolution with or without a bias."""
        self.copy(f"{ours}.weight", f"{theirs}.weight")
        if f"{theirs}.bias" in self.left:
            self.copy(f"{ours}.bias", f"{theirs}.bias")

    def embedding(self, ours: str, theirs: str, scale: float = 1.0) -> None:
        """The layer that reads labels, which are multiplied by `scale`; those that only phq has count nothing."""
        self.dense(ours, theirs)
        weight = self.found[f"{ours}.weight"]
        padded = weight.new_zeros(len(weight), LABELS)
        padded[:, : weight.shape[1]] = weight * (scale * math.sqrt(LABELS / weight.shape[1]))
        self.found[f"{ours}.weight"] = padded

    def nowhere(self) -> dict[str, str]:
        """Names that were not taken, and why.

        Raises:
            InputError: one that phq has no word on: the network is another one than it seemed.
        """
        reasons = {name: _reason(name, tensor) for name, tensor in self.left.items()}
        if unknown := [name for name, reason in reasons.items() if not reason]:
            raise InputError(
                f"phq has no place for {len(unknown)} tensors of it, {', '.join(unknown[:4])} among them: "
                "it is a variant of its project that phq does not know"
            )
        return {name: reason for name, reason in reasons.items() if reason}

    def _rate(self, layer: str) -> float:
        module = self.network
        for name in layer.split("."):
            module = vars(module)["_modules"][name]
        rate = vars(module).get("bias_gain", 1.0)
        return float(rate) if isinstance(rate, int | float) else 1.0


def _reason(name: str, tensor: Tensor) -> str | None:
    for pattern, reason in NO_PLACE.items():
        if re.fullmatch(pattern, name):
            return None if name.endswith("resample_filter") and not _usual(tensor) else reason
    return None


def _usual(kernel: Tensor) -> bool:
    taps = torch.tensor(TAPS)
    return kernel.shape == (4, 4) and torch.allclose(kernel.float(), torch.outer(taps, taps) / 64)


def synthesis(source: Source, ours: str, theirs: str, sides: list[int], mixed: Tensor | None = None) -> None:
    """A synthesis network; `mixed` (channels, theirs) is a linear map that phq applies to its image beforehand.

    The image is a sum of upsampled outputs of 1×1 layers, so a linear map of its channels may be put into each of them.
    """
    for i, side in enumerate(sides):
        if side == FIRST:
            source.copy(f"{ours}.blocks.0.constant", f"{theirs}.b{side}.const")
        names = ["conv1"] if side == FIRST else ["conv0", "conv1"]
        for j, name in enumerate(names):
            layer = f"{ours}.blocks.{i}.convs.{j}"
            styled(source, layer, f"{theirs}.b{side}.{name}")
            source.copy(f"{layer}.strength", f"{theirs}.b{side}.{name}.noise_strength")
            source.copy(f"{layer}.still", f"{theirs}.b{side}.{name}.noise_const")
        colour(source, f"{ours}.blocks.{i}.colour", f"{theirs}.b{side}.torgb", mixed)


def styled(source: Source, ours: str, theirs: str) -> None:
    """A modulated convolution without its noise."""
    source.dense(f"{ours}.affine", f"{theirs}.affine")
    source.conv(ours, theirs)


def colour(source: Source, ours: str, theirs: str, mixed: Tensor | None = None) -> None:
    """A layer that makes an image; see `synthesis`."""
    source.dense(f"{ours}.affine", f"{theirs}.affine")
    weight, bias = source.take(f"{theirs}.weight")[:, :, 0, 0], source.take(f"{theirs}.bias")
    if mixed is not None:
        weight, bias = (mixed @ weight.double()).float(), (mixed @ bias.double()).float()
    source.found[f"{ours}.weight"], source.found[f"{ours}.bias"] = weight, bias


def mapping(source: Source, ours: str, theirs: str, layers: int, scale: float) -> None:
    """A mapping network, with the labels multiplied by `scale`."""
    if f"{theirs}.embed.weight" in source.left:
        source.embedding(f"{ours}.embed", f"{theirs}.embed", scale)
    for i in range(layers):
        source.dense(f"{ours}.layers.{i}", f"{theirs}.fc{i}", RATE)


def pose(source: Source, ours: str, theirs: str) -> None:
    """A pose predictor."""
    for i in range(sum(name.startswith(f"{theirs}.net.") for name in source.left) // 2):
        source.dense(f"{ours}.layers.{i}", f"{theirs}.net.{i}")


def spheres_mix(source: Source) -> Tensor:
    """The channels of both spheres by those of the backbone, float64: two layers of 1×1, one after the other."""
    found = []
    for name in ("ConvA", "ConvB"):
        matrix = torch.eye(1, dtype=torch.float64)
        for i in (0, 1):
            weight = source.take(f"{name}.{i}.weight")[:, :, 0, 0].double()
            weight = weight / math.sqrt(weight.shape[1])
            matrix = weight if i == 0 else weight @ matrix
        found.append(matrix)
    return torch.cat(found)


def discriminator(source: Source, sides: list[int], layers: int) -> None:
    """A discriminator; mask and pose, if it knows none, count nothing."""
    entry = source.take(f"b{sides[0]}.fromrgb.weight")
    padded = entry.new_zeros(len(entry), CHANNELS, 1, 1)
    padded[:, : entry.shape[1]] = entry * math.sqrt(CHANNELS / entry.shape[1])
    source.found["trunk.entry.weight"] = padded
    source.copy("trunk.entry.bias", f"b{sides[0]}.fromrgb.bias")
    for i, side in enumerate(sides):
        for ours, theirs in (("first", "conv0"), ("second", "conv1"), ("skip", "skip")):
            source.conv(f"trunk.blocks.{i}.{ours}", f"b{side}.{theirs}")
    source.conv("mixed", f"b{LAST}.conv")
    source.dense("hidden", f"b{LAST}.fc")
    source.dense("out", f"b{LAST}.out")
    mapping(source, "mapper", "mapping", layers, 1.0)
    source.found["mapper.average"] = torch.zeros(len(source.found["out.bias"]))  # of styles, which it has none of
    pose(source, "pose", "pose_branch")


def settings_scale(settings: Mapping[str, object]) -> float:
    """What a generator multiplies its labels by; 0 where it is conditioned on nothing."""
    scale = settings.get("c_scale", 0)
    zero = settings.get("c_gen_conditioning_zero", False) or not isinstance(scale, int | float)
    return 0.0 if zero else float(scale)  # type: ignore[arg-type]
