"""MobileNetV2 without batch normalisation (folded), loaded from an ONNX file, and the orientation heads."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import torch
from torch import Tensor, nn

BINS = 24
OUTPUTS = 2 * (BINS + 4)
"""Torso then head: 24 yaw logits, pitch, roll (radians) and their log standard deviations."""
FROZEN = 8
"""First layers of the trunk that keep their weights: they cost most of the time and learn least."""
MEANS = 1280
"""Channels of the trunk's last map."""
FINE_AT, FINE_IN = 15, 96
"""Layer before which the finer map lies, a sixteenth of the crop's side, and its channels."""
COARSE, FINE = 32, 16
"""Channels of both maps of which the place is kept."""
PLACES = (16 * COARSE + 64 * FINE, 16 * COARSE + 49 * FINE)
"""Numbers that tell places, of the body crop (4 × 4 and 8 × 8 cells) and of the head crop (4 × 4 and 7 × 7)."""
NEW = ("body", "near", "placed")
"""Modules that networks before P lack."""
SETTING = [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)]
"""Expansion, channels, repeats, first stride: table 2 of Sandler et al. 2018."""


def conv(inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> nn.Conv2d:
    """Convolution that keeps the size but for its stride."""
    return nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups)


class Block(nn.Module):
    """Inverted residual."""

    def __init__(self, inputs: int, outputs: int, stride: int, expansion: int) -> None:
        super().__init__()
        wide = inputs * expansion
        first = [conv(inputs, wide, 1), nn.ReLU6()] if expansion > 1 else []
        self.layers = nn.Sequential(*first, conv(wide, wide, 3, stride, wide), nn.ReLU6(), conv(wide, outputs, 1))
        self.skip = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W)."""
        return x + self.layers(x) if self.skip else self.layers(x)


class MobileNetV2(nn.Module):
    """Features (N, 1280) of (N, 3, H, W), H and W multiples of 32, ImageNet-normalised."""

    def __init__(self) -> None:
        super().__init__()
        blocks: list[nn.Module] = [conv(3, 32, 3, 2), nn.ReLU6()]
        channels = 32
        for expansion, outputs, repeats, stride in SETTING:
            for i in range(repeats):
                blocks.append(Block(channels, outputs, stride if i == 0 else 1, expansion))
                channels = outputs
        self.layers = nn.Sequential(*blocks, conv(channels, 1280, 1), nn.ReLU6())

    def forward(self, x: Tensor) -> Tensor:
        """Mean over the last map."""
        return self.layers(x).mean((2, 3))

    def load_onnx(self, path: Path) -> None:
        """Weights in the order of the file's convolutions."""
        graph = onnx.load(str(path)).graph
        values = {t.name.removesuffix("_half"): onnx.numpy_helper.to_array(t) for t in graph.initializer}
        nodes = [n for n in graph.node if n.op_type == "Conv"]
        layers = [m for m in self.modules() if isinstance(m, nn.Conv2d)]
        for layer, node in zip(layers, nodes, strict=True):
            layer.weight.data.copy_(torch.from_numpy(np.array(values[node.input[1]], np.float32)))
            assert layer.bias is not None
            layer.bias.data.copy_(torch.from_numpy(np.array(values[node.input[2]], np.float32)))


class Placed(nn.Module):
    """(N, 1280 + P) features of a crop: the means over the trunk's last map, which do not say where things are, and the
    places, a few channels of that map and of the finer one before its last halving."""

    def __init__(self) -> None:
        super().__init__()
        self.coarse, self.fine = conv(MEANS, COARSE, 1), conv(FINE_IN, FINE, 1)

    def forward(self, fine: Tensor, last: Tensor) -> Tensor:
        """Of both maps (N, C, H, W)."""
        return torch.cat([last.mean((2, 3)), self.coarse(last).relu().flatten(1), self.fine(fine).relu().flatten(1)], 1)


class Orientation(nn.Module):
    """Crops round neck and head, RGB (N, 3, S, S) in 0..255, to (N, 56), see `OUTPUTS`; one trunk sees both."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk = MobileNetV2()
        self.drop = nn.Dropout(0.3)
        self.body, self.near = Placed(), Placed()
        self.head = nn.Linear(2 * MEANS, OUTPUTS)
        self.placed = nn.Linear(sum(PLACES), OUTPUTS)
        nn.init.normal_(self.head.weight, std=0.01)
        nn.init.zeros_(self.head.bias)
        nn.init.zeros_(self.placed.weight)
        nn.init.zeros_(self.placed.bias).requires_grad_(False)  # the head has one; without any, the file lacks the name
        self.register_buffer("mean", torch.tensor([123.675, 116.28, 103.53]).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor([58.395, 57.12, 57.375]).view(1, 3, 1, 1))

    def load_onnx(self, path: Path) -> None:
        """All weights of a network that `export.py` wrote; one from before P has no places, which stay as they are."""
        values = {
            t.name.removesuffix("_half"): onnx.numpy_helper.to_array(t) for t in onnx.load(str(path)).graph.initializer
        }
        before = "model.body.coarse.weight" not in values
        for name, parameter in self.named_parameters():
            if not (before and name.partition(".")[0] in NEW):
                parameter.data.copy_(torch.from_numpy(np.array(values[f"model.{name}"], np.float32)))

    def front(self, crops: Tensor) -> Tensor:
        """(N, C, H, W) after the first `FROZEN` layers, which training leaves as they are."""
        return self.trunk.layers[:FROZEN]((crops - self.mean) / self.std)

    def features_from(self, front: Tensor, place: Placed) -> Tensor:
        """`Placed` features of a crop, for what `front` made of it."""
        fine = self.trunk.layers[FROZEN:FINE_AT](front)
        return place(fine, self.trunk.layers[FINE_AT:](fine))

    def features_of(self, body: Tensor, head: Tensor) -> tuple[Tensor, Tensor]:
        """The same of both crops as they are."""
        return self.features_from(self.front(body), self.body), self.features_from(self.front(head), self.near)

    def answer(self, body: Tensor, head: Tensor) -> Tensor:
        """Raw outputs for the features of both crops."""
        means = torch.cat([body[:, :MEANS], head[:, :MEANS]], 1)
        places = torch.cat([body[:, MEANS:], head[:, MEANS:]], 1)
        return self.head(self.drop(means)) + self.placed(self.drop(places))

    def from_front(self, body: Tensor, head: Tensor) -> Tensor:
        """Raw outputs for what `front` made of both crops."""
        return self.answer(self.features_from(body, self.body), self.features_from(head, self.near))

    def forward(self, body: Tensor, head: Tensor) -> Tensor:
        """Raw outputs."""
        return self.answer(*self.features_of(body, head))
