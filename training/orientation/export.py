"""A checkpoint to ONNX with half-precision storage.

    python export.py RUN/last.pt OUT.onnx

Input `image` (N, 160, 160, 3) RGB in 0..255, output `orientation` (N, 56), see model.OUTPUTS. Weights are stored as
float16 and cast back when the file is opened; arithmetic is float32. Prints the largest difference to the checkpoint.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from model import Orientation
from onnx import helper, numpy_helper
from torch import Tensor, nn

SIZE = 160
SMALL = 256
"""Tensors of fewer numbers stay float32."""


class Picture(nn.Module):
    """Channels last at the door."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, image: Tensor) -> Tensor:
        """(N, S, S, 3) to (N, 56)."""
        return self.model(image.permute(0, 3, 1, 2))


def halve(model: onnx.ModelProto) -> None:
    """Store every large float32 initializer as float16 with a Cast."""
    graph = model.graph
    for tensor in list(graph.initializer):
        values = numpy_helper.to_array(tensor)
        if values.dtype == np.float32 and values.size >= SMALL:
            graph.initializer.remove(tensor)
            half = numpy_helper.from_array(values.astype(np.float16), tensor.name + "_half")
            graph.initializer.append(half)
            graph.node.insert(0, helper.make_node("Cast", [half.name], [tensor.name], to=onnx.TensorProto.FLOAT))


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("out", type=Path)
    options = parser.parse_args()
    network = Orientation()
    network.load_state_dict(torch.load(options.checkpoint))
    picture = Picture(network).eval()
    example = torch.rand(2, SIZE, SIZE, 3) * 255
    torch.onnx.export(
        picture, (example,), str(options.out), input_names=["image"], output_names=["orientation"],
        dynamic_axes={"image": {0: "n"}, "orientation": {0: "n"}}, opset_version=17, dynamo=False,
    )  # fmt: skip
    model = onnx.load(str(options.out))
    halve(model)
    onnx.checker.check_model(model)
    onnx.save(model, str(options.out))
    session = onnxruntime.InferenceSession(str(options.out), providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {"image": example.numpy()})
    with torch.no_grad():
        wanted = picture(example).numpy()
    print(f"{options.out}: {options.out.stat().st_size} bytes, differs by {np.abs(found - wanted).max():.4f}")


if __name__ == "__main__":
    main()
