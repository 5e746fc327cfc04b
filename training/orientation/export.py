"""A checkpoint to ONNX with half-precision storage.

    python export.py RUN/stepN.pt OUT.onnx

Inputs and output are those of `phq.pose.orient.net`. Weights are stored as float16 and cast back when the file is
opened; arithmetic is float32. Prints the largest difference to the checkpoint.
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

from phq.pose.orient.net import BODY_SIDE, HEAD_SIDE

SMALL = 256
"""Tensors of fewer numbers stay float32."""


class Views(nn.Module):
    """Channels last at the door; both crops, and each beside a black other one."""

    def __init__(self, model: Orientation) -> None:
        super().__init__()
        self.model = model
        with torch.no_grad():
            black = model.features_of(*(torch.zeros(1, 3, side, side) for side in (BODY_SIDE, HEAD_SIDE)))
        self.register_buffer("no_body", black[0])
        self.register_buffer("no_head", black[1])

    def forward(self, body: Tensor, head: Tensor) -> Tensor:
        """(N, S, S, 3) twice to (N, 3, 56)."""
        b, h = self.model.features_of(*(x.permute(0, 3, 1, 2) for x in (body, head)))
        no_body, no_head = self.no_body.expand_as(b), self.no_head.expand_as(h)
        return torch.stack([self.model.answer(*pair) for pair in ((b, h), (b, no_head), (no_body, h))], 1)


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
    network = Orientation().eval()
    network.load_state_dict(torch.load(options.checkpoint))
    views = Views(network).eval()
    example = tuple(torch.rand(2, side, side, 3) * 255 for side in (BODY_SIDE, HEAD_SIDE))
    torch.onnx.export(
        views, example, str(options.out), input_names=["body", "head"], output_names=["orientation"],
        dynamic_axes={name: {0: "n"} for name in ("body", "head", "orientation")}, opset_version=17, dynamo=False,
    )  # fmt: skip
    model = onnx.load(str(options.out))
    halve(model)
    onnx.checker.check_model(model)
    onnx.save(model, str(options.out))
    session = onnxruntime.InferenceSession(str(options.out), providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {"body": example[0].numpy(), "head": example[1].numpy()})
    with torch.no_grad():
        wanted = views(*example).numpy()
    print(f"{options.out}: {options.out.stat().st_size} bytes, differs by {np.abs(found - wanted).max():.4f}")


if __name__ == "__main__":
    main()
