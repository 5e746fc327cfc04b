"""Writes the small ONNX networks beside this file: ``pip install onnx && python tests/data/make_networks.py``.

They have inputs, outputs and shapes of the real ones and no learned weights. What they take for a person is in the
pixels, so that an error in size, normalisation, order of colours or places shows in the answer:

* ``rfdetr-tiny.onnx`` and ``rtmdet-tiny.onnx`` find the box round all red pixels as a person, and the box round all
  green ones as another class; its score grows with how red the reddest pixel is.
* ``rtmpose-tiny.onnx`` (26 keypoints) and ``rtmw-tiny.onnx`` (133): the nose is at the reddest pixel, the eyes at
  the greenest, the ears at the bluest, the shoulders at the reddest again, and so on.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

HERE = Path(__file__).parent
MEAN, STD = np.array([123.675, 116.28, 103.53]), np.array([58.395, 57.12, 57.375])


class Graph:
    """Nodes and constants, named as they come."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def constant(self, value: object, kind: type = np.float32) -> str:
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.array(value, kind), name))
        return name

    def __call__(self, operator: str, *inputs: str, name: str = "", **attributes: object) -> str:
        name = name or f"n{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, list(inputs), [name], **attributes))
        return name

    def save(self, file: str, size: tuple[int, int], takes: str, **gives: tuple[int, list[object]]) -> None:
        entry = helper.make_tensor_value_info(takes, TensorProto.FLOAT, [1, 3, *size])
        outputs = [helper.make_tensor_value_info(name, kind, shape) for name, (kind, shape) in gives.items()]
        graph = helper.make_graph(self.nodes, file, [entry], outputs, self.constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        onnx.checker.check_model(model, full_check=True)
        onnx.save(model, HERE / file)


def lead(graph: Graph, planes: str, colour: int, red_first: bool) -> str:
    """1 × 1 × H × W in -1..1: by how much a colour exceeds the stronger of the others."""
    order = [0, 1, 2] if red_first else [2, 1, 0]
    spread = graph.constant((STD[order] / 255).reshape(1, 3, 1, 1))
    mean = graph.constant((MEAN[order] / 255).reshape(1, 3, 1, 1))
    shown = graph("Add", graph("Mul", planes, spread), mean)
    of = [graph("Gather", shown, graph.constant([order.index(c)], np.int64), axis=1) for c in range(3)]
    return graph("Sub", of[colour], graph("Max", *[plane for c, plane in enumerate(of) if c != colour]))


def edges(graph: Graph, mask: str, axis: int, side: int) -> tuple[str, str]:
    """(1, 1) first index along an axis (2: y, 3: x) where a 0-or-1 plane is 1, and one past the last, as floats."""
    row = graph("ReduceMax", mask, axes=[5 - axis], keepdims=0)
    row = graph("Reshape", row, graph.constant([1, side], np.int64))
    first = graph("Cast", graph("ArgMax", row, axis=1, keepdims=1), to=TensorProto.FLOAT)
    last = graph("ArgMax", row, axis=1, keepdims=1, select_last_index=1)
    return first, graph("Add", graph("Cast", last, to=TensorProto.FLOAT), graph.constant([[1]]))


def blob(graph: Graph, planes: str, colour: int, side: int, red_first: bool) -> tuple[str, str]:
    """(1, 1, 4) box x0, y0, x1, y1 round all pixels of a colour, and (1, 1, 1) logit of its strongest."""
    plane = lead(graph, planes, colour, red_first)
    mask = graph("Cast", graph("Greater", plane, graph.constant(0.5)), to=TensorProto.FLOAT)
    (x0, x1), (y0, y1) = (edges(graph, mask, axis, side) for axis in (3, 2))
    corners = graph("Concat", x0, y0, x1, y1, axis=1)
    strongest = graph("ReduceMax", plane, axes=[1, 2, 3], keepdims=0)
    logit = graph("Mul", graph("Sub", strongest, graph.constant(0.5)), graph.constant(20))
    one = graph.constant([1, 1, 1], np.int64)
    return graph("Reshape", corners, graph.constant([1, 1, 4], np.int64)), graph("Reshape", logit, one)


def rfdetr(side: int, queries: int = 3, classes: int = 91) -> None:
    """A person and a car (COCO's ids 1 and 3), and a query that saw nothing."""
    graph = Graph()
    to_centre = np.array([[0.5, 0, -1, 0], [0, 0.5, 0, -1], [0.5, 0, 1, 0], [0, 0.5, 0, 1]]) / side
    boxes, logits = [], []
    for colour, coco in ((0, 1), (1, 3)):
        corners, logit = blob(graph, "pixel_values", colour, side, red_first=True)
        boxes.append(graph("MatMul", corners, graph.constant(to_centre)))
        row = np.zeros((1, 1, classes))
        row[..., coco] = 1
        logits.append(graph("Add", graph("Mul", logit, graph.constant(row)), graph.constant(9 * row - 9)))
    boxes.append(graph.constant(np.zeros((1, queries - 2, 4))))
    logits.append(graph.constant(np.full((1, queries - 2, classes), -9)))
    graph("Concat", *logits, axis=1, name="logits")
    graph("Concat", *boxes, axis=1, name="pred_boxes")
    kind = TensorProto.FLOAT
    graph.save("rfdetr-tiny.onnx", (side, side), "pixel_values", logits=(kind, [1, queries, classes]),
               pred_boxes=(kind, [1, queries, 4]))  # fmt: skip


def rtmdet(side: int) -> None:
    """Class 0 is the person, as in OpenMMLab's files; here there is a class 7 too."""
    graph = Graph()
    rows = []
    for colour in (0, 1):
        corners, logit = blob(graph, "input", colour, side, red_first=False)
        rows.append(graph("Concat", corners, graph("Sigmoid", logit), axis=2))
    graph("Concat", *rows, axis=1, name="dets")
    graph("Identity", graph.constant([[0, 7]], np.int64), name="labels")
    graph.save("rtmdet-tiny.onnx", (side, side), "input", dets=(TensorProto.FLOAT, [1, 2, 5]),
               labels=(TensorProto.INT64, [1, 2]))  # fmt: skip


def simcc(file: str, keypoints: int, height: int = 256, width: int = 192) -> None:
    """Two responses a pixel: the stronger of a column, or row, for each colour, each twice."""
    graph = Graph()
    colours = graph("Concat", *(lead(graph, "input", colour, red_first=True) for colour in range(3)), axis=1)
    turn = graph.constant([(k + 1) // 2 % 3 for k in range(keypoints)], np.int64)
    for name, axis, side in (("simcc_x", 2, width), ("simcc_y", 3, height)):
        row = graph("ReduceMax", colours, axes=[axis], keepdims=0)
        row = graph("Gather", row, turn, axis=1)
        column = graph("Reshape", row, graph.constant([1, keypoints, side, 1], np.int64))
        twice = graph("Concat", column, column, axis=3)
        graph("Reshape", twice, graph.constant([1, keypoints, 2 * side], np.int64), name=name)
    kind = TensorProto.FLOAT
    graph.save(file, (height, width), "input", simcc_x=(kind, [1, keypoints, 2 * width]),
               simcc_y=(kind, [1, keypoints, 2 * height]))  # fmt: skip


def deimv2(side: int) -> None:
    """The body (class 0), a head that is as good (7), and a query that saw nothing; colours come as fractions."""
    graph = Graph()
    spread = graph.constant((1 / STD * 255).reshape(1, 3, 1, 1))
    planes = graph("Mul", graph("Sub", "images", graph.constant((MEAN / 255).reshape(1, 3, 1, 1))), spread)
    rows = []
    for colour, number in ((0, 0), (1, 7)):
        corners, logit = blob(graph, planes, colour, side, red_first=True)
        parts = [graph.constant([[[number]]]), graph("Div", corners, graph.constant(side)), graph("Sigmoid", logit)]
        rows.append(graph("Concat", *parts, axis=2))
    rows.append(graph.constant([[[0, 0, 0, 1, 1, 0.01]]]))
    graph("Concat", *rows, axis=1, name="label_xyxy_score")
    graph.save("deimv2-tiny.onnx", (side, side), "images", label_xyxy_score=(TensorProto.FLOAT, [1, 3, 6]))


def sixdrepnet(side: int = 224) -> None:
    """A convolution, mean pooling, six numbers, and two columns made orthogonal, as 6DRepNet has them."""
    graph, rng = Graph(), np.random.default_rng(4)
    shown = graph("Relu", graph("Conv", "input", graph.constant(rng.normal(0, 0.2, (8, 3, 3, 3))), strides=[8, 8]))
    half = graph("Slice", shown, *(graph.constant(v, np.int64) for v in ([0], [12], [3])))  # the left and the whole
    pooled = [graph("Flatten", graph("GlobalAveragePool", part), axis=1) for part in (shown, half)]
    weights, bias = graph.constant(rng.normal(0, 1, (16, 6))), graph.constant(rng.normal(0, 0.3, 6))
    six = graph("Gemm", graph("Concat", *pooled, axis=1), weights, bias)
    first, second = (graph("Gather", six, graph.constant(rows, np.int64), axis=1) for rows in ([0, 1, 2], [3, 4, 5]))

    def unit(vector: str) -> str:
        return graph("Div", vector, graph("ReduceL2", vector, axes=[1]))

    def cross(a: str, b: str) -> str:
        turned = [graph.constant(order, np.int64) for order in ([1, 2, 0], [2, 0, 1])]
        (a1, a2), (b1, b2) = ([graph("Gather", v, t, axis=1) for t in turned] for v in (a, b))
        return graph("Sub", graph("Mul", a1, b2), graph("Mul", a2, b1))

    x = unit(first)
    z = unit(cross(x, second))
    shape = graph.constant([-1, 3, 1], np.int64)
    graph("Concat", *(graph("Reshape", column, shape) for column in (x, cross(z, x), z)), axis=2, name="output")
    graph.save("6drepnet360-tiny.onnx", (side, side), "input", output=(TensorProto.FLOAT, [1, 3, 3]))


if __name__ == "__main__":
    deimv2(320)
    sixdrepnet()
    rfdetr(384)
    rtmdet(320)
    simcc("rtmpose-tiny.onnx", 26)
    simcc("rtmw-tiny.onnx", 133)
