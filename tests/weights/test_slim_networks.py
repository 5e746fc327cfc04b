"""What `tools/slim_networks.py` makes of a network's graph, and what the embedded files offer."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

from phq.weights.devices import open_session

sys.path.insert(0, str(Path(__file__).parents[2] / "tools"))
onnx = pytest.importorskip("onnx")
slim_networks = pytest.importorskip("slim_networks")


def slimmed(nodes: list[Any], weights: dict[str, Any], shapes: list[Any], slim: Any, path: Path) -> list[Any]:
    """Sessions of a graph from ``x`` to ``y`` before and after."""
    helper = onnx.helper
    numbers = onnx.TensorProto
    kind = numbers.INT64 if nodes[-1].op_type == "ArgMax" else numbers.FLOAT
    values = [
        helper.make_tensor_value_info("x", numbers.FLOAT, shapes[0]),
        helper.make_tensor_value_info("y", kind, shapes[1]),
    ]
    tensors = [onnx.numpy_helper.from_array(array, name) for name, array in weights.items()]
    made = helper.make_graph(nodes, "g", values[:1], values[1:], tensors)
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    before = model.SerializeToString()
    graph = slim_networks.Graph(model)
    slim(graph)
    graph.saved(str(path))
    cpu = ["CPUExecutionProvider"]
    return [onnxruntime.InferenceSession(form, providers=cpu) for form in (before, str(path))]


@pytest.mark.parametrize("cells", [5, 36])
def test_the_best_cell_is_the_one_that_argmax_finds(cells: int, tmp_path: Path) -> None:
    search = onnx.helper.make_node("ArgMax", ["x"], ["y"], axis=0, keepdims=0)

    def slim(graph: Any) -> None:
        slim_networks._search_by_maxima(graph, graph.nodes[0])

    before, after = slimmed([search], {}, [("n", 4), (4,)], slim, tmp_path / "a.onnx")
    heat = np.random.default_rng(0).integers(0, 3, (cells, 4)).astype(np.float32)  # with equal cells
    assert (after.run(None, {"x": heat})[0] == before.run(None, {"x": heat})[0]).all()
    assert [node.op_type for node in onnx.load(tmp_path / "a.onnx").graph.node].count("ArgMax") == 0


def test_halving_is_an_average(tmp_path: Path) -> None:
    scales = {"roi": np.zeros(0, np.float32), "scales": np.array([1, 1, 0.5, 0.5], np.float32)}
    linear = {"mode": "linear", "coordinate_transformation_mode": "half_pixel"}
    half = onnx.helper.make_node("Resize", ["x", "roi", "scales"], ["y"], **linear)
    before, after = slimmed(
        [half], scales, [(1, 8, 6, 6), (1, 8, 3, 3)], slim_networks.slim_nanodet, tmp_path / "a.onnx"
    )
    picture = np.random.default_rng(0).random((1, 8, 6, 6), np.float32)
    np.testing.assert_allclose(after.run(None, {"x": picture})[0], before.run(None, {"x": picture})[0], atol=1e-6)


def test_the_embedded_networks_offer_what_phq_reads() -> None:
    outputs = {tuple(output.shape[1:]) for output in open_session("nanodet").get_outputs()}
    assert len(outputs) == 6
    assert "activation_heatmap" not in {output.name for output in open_session("blazepose-heavy").get_outputs()}
    (picture,) = open_session("movenet").get_inputs()
    assert (picture.type, picture.shape[:2]) == ("tensor(float)", [1, 3])
