"""Features of an ImageNet network that is not trained, differentiable by the picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from phq.generator.networks.filters import resize
from phq.weights.embedded import checked_path

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of ImageNet, RGB in 0 to 1."""
LAYERS = (
    "/features/features.3/Add_output_0",
    "/features/features.6/Add_output_0",
    "/features/features.13/Add_output_0",
    "/features/features.17/conv/conv.6/Conv_output_0",
)
"""Of MobileNetV2 (Sandler et al. 2018): the last bottleneck of each side, a 4th to a 32nd of the picture's."""
WIDTHS = (24, 32, 96, 320)
"""Their channels."""


class ImageFeatures(nn.Module):
    """The embedded MobileNetV2 as torch operations; its weights are buffers, not part of the saved state.

    Args:
        side: that pictures are brought to, pixels; a multiple of 32.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, side: int) -> None:
        super().__init__()
        self.side = side
        weights, self.nodes = _graph(checked_path("mobilenetv2"))
        for number, (kind, inputs, _, _) in enumerate(self.nodes):
            if kind == "Conv":
                self.register_buffer(f"weight{number}", weights[inputs[1]], persistent=False)
                self.register_buffer(f"bias{number}", weights[inputs[2]], persistent=False)
        self.register_buffer("mean", torch.tensor(MEAN)[:, None, None], persistent=False)
        self.register_buffer("std", torch.tensor(STD)[:, None, None], persistent=False)

    def forward(self, images: Tensor) -> list[Tensor]:
        """Features (B, C, side / s, side / s), C of `WIDTHS` and s of 4, 8, 16, 32, of images (B, 3, R, R), −1 to 1."""
        images = resize(images, self.side)
        values = {"x": ((images + 1) / 2 - self.mean) / self.std}
        for number, (kind, inputs, output, settings) in enumerate(self.nodes):
            x = values[inputs[0]]
            if kind == "Conv":
                values[output] = F.conv2d(
                    x, self.get_buffer(f"weight{number}"), self.get_buffer(f"bias{number}"), **settings
                )
            else:
                values[output] = x + values[inputs[1]] if kind == "Add" else F.relu6(x)
        return [values[name] for name in LAYERS]


Node = tuple[str, list[str], str, dict[str, Any]]
"""Operation, its inputs, its output, settings of a convolution."""


def _graph(path: Path) -> tuple[dict[str, Tensor], list[Node]]:
    """Weights by name, and the convolutions, sums and clips to 0 … 6 up to the last of `LAYERS`."""
    import onnx
    from onnx import numpy_helper

    graph = onnx.load(path).graph
    weights = {found.name: torch.from_numpy(numpy_helper.to_array(found).copy()) for found in graph.initializer}
    nodes: list[Node] = []
    for node in graph.node:
        if node.op_type == "Constant":
            continue
        given = {attribute.name: onnx.helper.get_attribute_value(attribute) for attribute in node.attribute}
        settings = (
            {"stride": given["strides"], "padding": given["pads"][:2], "groups": given["group"]}
            if node.op_type == "Conv"
            else {}
        )
        nodes.append((node.op_type, list(node.input), node.output[0], settings))
        if node.output[0] == LAYERS[-1]:
            break
    return weights, nodes
