"""A tiny model pack that insightface's own loader takes: networks whose answers can be worked out by hand.

SCRFD: the score of a cell of 8 pixels is its brightness, (mean − 127.5) / 128; every box reaches 2 cells to each side,
and point number n lies n / 2 cells right of the anchor and one below. ArcFace: means of blocks of 8 × 8 pixels.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

SIDE = 320
STRIDES = (8, 16, 32)
REACH = 2.0
OFFSETS = [0.0, 1.0, 0.5, 1.0, 1.0, 1.0, 1.5, 1.0, 2.0, 1.0]


def write_pack(folder: Path) -> Path:
    """The pack, with a third network that is neither."""
    folder.mkdir(parents=True)
    _scrfd(folder / "det_tiny.onnx")
    _arcface(folder / "w_tiny.onnx")
    _other(folder / "1k_tiny.onnx")
    return folder


def _save(nodes: list, inputs: list, outputs: list, constants: dict[str, np.ndarray], path: Path) -> None:
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    def value(name: str, shape: list):
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)

    graph = helper.make_graph(
        nodes, "tiny", [value(*i) for i in inputs], [value(*o) for o in outputs],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.save(model, str(path))


def _scrfd(path: Path) -> None:
    from onnx.helper import make_node

    nodes, constants, outputs = [], {"column": np.array([-1, 1], np.int64), "zero": np.zeros(1, np.float32)}, []
    for stride in STRIDES:
        count = 2 * (SIDE // stride) ** 2
        nodes += [
            make_node("AveragePool", ["input.1"], [f"pool{stride}"], kernel_shape=[stride] * 2, strides=[stride] * 2),
            make_node("ReduceMean", [f"pool{stride}"], [f"grey{stride}"], axes=[1]),
            make_node("Reshape", [f"grey{stride}", "column"], [f"cells{stride}"]),
            make_node("Concat", [f"cells{stride}"] * 2, [f"pairs{stride}"], axis=1),
            make_node("Reshape", [f"pairs{stride}", "column"], [f"all{stride}"]),
            make_node("Add" if stride == 8 else "Mul", [f"all{stride}", "zero"], [f"score{stride}"]),
        ]
        constants[f"b{stride}"] = np.full((count, 4), REACH, np.float32)
        constants[f"k{stride}"] = np.tile(np.array(OFFSETS, np.float32), (count, 1))
        nodes += [make_node("Identity", [f"{x}{stride}"], [f"{n}{stride}"]) for x, n in (("b", "box"), ("k", "kps"))]
    for name, width in (("score", 1), ("box", 4), ("kps", 10)):
        outputs += [(f"{name}{stride}", ["n", width]) for stride in STRIDES]
    _save(nodes, [("input.1", [1, 3, "?", "?"])], outputs, constants, path)


def _arcface(path: Path) -> None:
    from onnx.helper import make_node

    nodes = [
        make_node("AveragePool", ["data"], ["blocks"], kernel_shape=[8, 8], strides=[8, 8]),
        make_node("Reshape", ["blocks", "flat"], ["all"]),
        make_node("Slice", ["all", "start", "end", "axis"], ["fc1"]),
    ]
    constants = {
        "flat": np.array([0, -1]), "start": np.array([0]), "end": np.array([512]), "axis": np.array([1]),
    }  # fmt: skip
    _save(nodes, [("data", ["None", 3, 112, 112])], [("fc1", ["None", 512])], constants, path)


def _other(path: Path) -> None:
    from onnx.helper import make_node

    shape = [1, 3, 192, 192]
    _save([make_node("Identity", ["data"], ["out"])], [("data", shape)], [("out", shape)], {}, path)
