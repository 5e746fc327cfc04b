"""Take out of embedded ONNX files what phq does not read, and write the rest so that ONNX Runtime fuses it.

    python tools/slim_networks.py blazepose|nanodet|movenet IN.onnx OUT.onnx        (needs: pip install onnx)

IN is the file as its source has it (`phq/weights/registry.json`). No weight changes; outputs agree to the rounding of
float32 (`tests/weights/test_slim_networks.py`).

* blazepose: without heat maps. The channels that a skip connection adds as zeros come from a 1 × 1 convolution with an
  identity in place of `Pad`, which ONNX Runtime only runs on unblocked channels: every layer after it then left the
  blocked layout and came back.
* nanodet: scores of people alone, of 80 classes; `MaxPool` pads by itself; halving is an average of 2 × 2.
* movenet: takes 1 × 3 × h × w float32, pixel / 127.5 − 1; the search of each joint's best cell runs along memory.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

PERSON = 0
"""Number of the class in COCO."""
CLASSES, SIDES = 80, 44
MASK_CHANNELS = 8
"""Of BlazePose's mask before its last doubling."""
CELLS = 96 * 96
"""Of MoveNet's maps at most: a quarter of the 384 pixels that phq shows it, each way."""


class Graph:
    """A model whose nodes and weights are looked up by name."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self.model, self.nodes = model, model.graph.node
        self.weights = {weight.name: weight for weight in model.graph.initializer}

    def maker(self, name: str) -> Any:
        """The node of an output."""
        return next(node for node in self.nodes if name in node.output)

    def users(self, name: str) -> list[Any]:
        """Nodes that take a value."""
        return [node for node in self.nodes if name in node.input]

    def value(self, name: str) -> Any:
        """A constant's array, through casts of half-precision weights."""
        while name not in self.weights:
            (name,) = self.maker(name).input
        return numpy_helper.to_array(self.weights[name])

    def add_weight(self, name: str, array: Any) -> str:
        """A new constant; its name."""
        self.weights[name] = numpy_helper.from_array(np.ascontiguousarray(array), name)
        return name

    def replace(self, node: Any, *others: Any) -> None:
        """Other nodes at a node's place."""
        place = list(self.nodes).index(node)
        self.nodes.remove(node)
        for shift, other in enumerate(others):
            self.nodes.insert(place + shift, other)

    def saved(self, path: str) -> None:
        """Drop what no output needs, check and write."""
        wanted = {output.name for output in self.model.graph.output}
        for node in reversed(list(self.nodes)):
            if wanted.isdisjoint(node.output):
                self.nodes.remove(node)
            else:
                wanted.update(node.input)
        del self.model.graph.initializer[:]
        self.model.graph.initializer.extend(weight for name, weight in self.weights.items() if name in wanted)
        del self.model.graph.value_info[:]
        onnx.checker.check_model(self.model)
        onnx.save(self.model, path)


def keep_outputs(graph: Graph, keep: Callable[[str], bool]) -> None:
    """Only these outputs of the model."""
    kept = [output for output in graph.model.graph.output if keep(output.name)]
    del graph.model.graph.output[:]
    graph.model.graph.output.extend(kept)


def slim_blazepose(graph: Graph) -> None:
    """See the module."""
    keep_outputs(graph, lambda name: name != "activation_heatmap")
    for node in [n for n in graph.nodes if n.op_type == "Pad"]:
        begin_and_end = graph.value(node.input[1])
        if begin_and_end[5]:
            (user,) = [n for n in graph.users(node.output[0]) if n.op_type == "Add"]
            other = next(name for name in user.input if name != node.output[0])
            channels = graph.value(graph.maker(other).input[1]).shape[0]
            eye = np.eye(channels, channels - int(begin_and_end[5]), dtype=np.float16)[:, :, None, None]
            half = graph.add_weight(f"{node.output[0]}/eye", eye)
            cast = helper.make_node("Cast", [half], [f"{half}/float"], to=onnx.TensorProto.FLOAT)
            conv = helper.make_node("Conv", [node.input[0], cast.output[0]], list(node.output), kernel_shape=[1, 1])
            graph.replace(node, cast, conv)
    last = [n for n in graph.nodes if n.op_type == "Resize"][-1]
    unit = graph.add_weight(f"{last.input[0]}/eye", np.eye(MASK_CHANNELS, dtype=np.float32)[:, :, None, None])
    same = helper.make_node("Conv", [last.input[0], unit], [f"{last.input[0]}/blocked"], kernel_shape=[1, 1])
    last.input[0] = same.output[0]
    graph.nodes.insert(list(graph.nodes).index(last), same)


def slim_nanodet(graph: Graph) -> None:
    """See the module."""
    for split in [n for n in graph.nodes if n.op_type == "Split" and n.input[1] in graph.weights]:
        if list(graph.value(split.input[1])) == [CLASSES, SIDES]:
            conv = graph.maker(split.input[0])
            chosen = [PERSON, *range(CLASSES, CLASSES + SIDES)]
            for place in (1, 2):
                source = conv.input[place]
                name = graph.add_weight(f"{conv.output[0]}/{place}", graph.value(source)[chosen].astype(np.float32))
                conv.input[place] = name
            split.input[1] = graph.add_weight(f"{conv.output[0]}/sizes", np.array([1, SIDES]))
            _flatten(graph, split)
    for node in [n for n in graph.nodes if n.op_type == "MaxPool"]:
        pad = graph.maker(node.input[0])
        if pad.op_type == "Pad":
            begin_and_end = graph.value(pad.input[1])
            node.attribute.append(helper.make_attribute("pads", [int(begin_and_end[i]) for i in (2, 3, 6, 7)]))
            node.input[0] = pad.input[0]
    for node in [n for n in graph.nodes if n.op_type == "Resize"]:
        if list(graph.value(node.input[2])[2:]) == [0.5, 0.5]:
            sizes = {"kernel_shape": [2, 2], "strides": [2, 2]}
            graph.replace(node, helper.make_node("AveragePool", [node.input[0]], list(node.output), **sizes))


def _flatten(graph: Graph, split: Any) -> None:
    """The shapes after a split depend on no class count any more."""
    for output, channels in zip(split.output, (1, SIDES), strict=True):
        (user,) = graph.users(output)
        reshape = user if user.op_type == "Reshape" else graph.users(user.output[0])[0]
        reshape.input[1] = graph.add_weight(f"{output}/shape", np.array([1, channels, -1]))


def slim_movenet(graph: Graph) -> None:
    """See the module."""
    picture = graph.model.graph.input[0]
    first = next(n for n in graph.nodes if n.op_type == "Transpose")
    for user in graph.users(first.output[0]):
        user.input[0] = picture.name
    taken = [d.dim_param for d in picture.type.tensor_type.shape.dim][1:3]
    shape = [1, 3, *taken]
    picture.CopyFrom(helper.make_tensor_value_info(picture.name, onnx.TensorProto.FLOAT, shape))
    _search_by_maxima(graph, next(n for n in graph.nodes if n.op_type == "ArgMax"))


def _search_by_maxima(graph: Graph, best: Any) -> None:
    """`ArgMax` along axis 0 by operations that ONNX Runtime has vectorised; the first of equal cells, as `ArgMax`."""
    heat, out = best.input[0], best.output[0]
    axis = {"axes": [0], "keepdims": 1}
    countdown = graph.add_weight(f"{out}/countdown", np.arange(CELLS, 0, -1, dtype=np.float32)[:, None])
    end = graph.add_weight(f"{out}/end", np.array([CELLS]))
    steps = [
        helper.make_node("ReduceMax", [heat], [f"{out}/max"], **axis),
        helper.make_node("GreaterOrEqual", [heat, f"{out}/max"], [f"{out}/is"]),
        helper.make_node("Cast", [f"{out}/is"], [f"{out}/one"], to=onnx.TensorProto.FLOAT),
        helper.make_node("Shape", [heat], [f"{out}/shape"]),
        helper.make_node("Gather", [f"{out}/shape", graph.add_weight(f"{out}/0", np.array([0]))], [f"{out}/cells"]),
        helper.make_node("Neg", [f"{out}/cells"], [f"{out}/from"]),
        helper.make_node("Slice", [countdown, f"{out}/from", end], [f"{out}/left"]),
        helper.make_node("Mul", [f"{out}/one", f"{out}/left"], [f"{out}/ranked"]),
        helper.make_node("ReduceMax", [f"{out}/ranked"], [f"{out}/first"], axes=[0], keepdims=0),
        helper.make_node("Cast", [f"{out}/first"], [f"{out}/whole"], to=onnx.TensorProto.INT64),
        helper.make_node("Sub", [f"{out}/cells", f"{out}/whole"], [out]),
    ]
    graph.replace(best, *steps)


def main(kind: str, source: str, target: str) -> None:
    """Write `target`."""
    graph = Graph(onnx.load(source))
    {"blazepose": slim_blazepose, "nanodet": slim_nanodet, "movenet": slim_movenet}[kind](graph)
    graph.saved(target)


if __name__ == "__main__":
    main(*sys.argv[1:4])
