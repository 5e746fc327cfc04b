"""Train the sample body network on rendered people, and write it as ONNX. Run once; the file is in this folder.

python train.py TRUTH_DIR: a folder as ``phq evaluate pose --truth`` takes it. Needs torch, onnx and phq.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from phq_sample_body import SIDE, square_of
from PIL import Image
from torch import nn

from phq.camera.convention import MIRROR, level_view
from phq.evaluate.truth import PART_AXES, Truth, read_truth
from phq.photos.region import sample

EPOCHS, BATCH = 40, 32
OUT = Path(__file__).parent / "phq_sample_body" / "sample_body.onnx"


def target(truth: Truth, box: np.ndarray) -> np.ndarray:
    """(15,) two columns of the rotation of torso and head, from a camera that looks at the middle of the box; neck from
    the middle of the square, and pixels a metre times 0.5, both over the side of the square."""
    middle = np.linalg.inv(truth.K) @ [*((box[:2] + box[2:]) / 2), 1.0]
    view = level_view(middle)
    rotations = [view @ np.array(truth.person[part]["R_cam"]) @ PART_AXES for part in ("torso", "head")]
    region = square_of(box)
    neck = (truth.pixel("neck") - [region.cx, region.cy]) / region.side
    scale = truth.head_pixels() * 0.5 / region.side
    return np.concatenate([*(r[:, 1:].T.ravel() for r in rotations), neck, [scale]])


def mirrored(values: np.ndarray) -> np.ndarray:
    """The target of the mirror image."""
    turns = values[:12].reshape(2, 2, 3) * np.diag(MIRROR)
    return np.concatenate([turns.ravel(), values[12:] * [-1, 1, 1]])


def load(folder: Path) -> tuple[torch.Tensor, torch.Tensor]:
    pictures, targets = [], []
    for path in sorted(folder.glob("*.json")):
        truth = read_truth(path)
        box = np.array(truth.person["bbox_visible_xyxy"], float)
        if min(box[2:] - box[:2]) < 20:
            continue
        pixels = np.asarray(Image.open(path.with_suffix(".jpg")).convert("RGB"))
        shown = sample(pixels, square_of(box), SIDE)
        values = target(truth, box)
        pictures += [shown, shown[:, ::-1]]
        targets += [values, mirrored(values)]
    planes = np.stack(pictures).transpose(0, 3, 1, 2)
    return torch.from_numpy(planes.copy()), torch.from_numpy(np.stack(targets)).float()


def layers() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(3, 16, 5, 2, 2), nn.ReLU(), nn.Conv2d(16, 32, 3, 2, 1), nn.ReLU(),
        nn.Conv2d(32, 64, 3, 2, 1), nn.ReLU(), nn.Flatten(), nn.Linear(64 * (SIDE // 8) ** 2, 64), nn.ReLU(),
        nn.Linear(64, 15),
    )  # fmt: skip


def train(pictures: torch.Tensor, targets: torch.Tensor) -> nn.Sequential:
    torch.manual_seed(0)
    network = layers()
    optimiser = torch.optim.AdamW(network.parameters(), 1e-3, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, EPOCHS)
    for epoch in range(EPOCHS):
        losses = []
        for part in torch.randperm(len(pictures)).split(BATCH):
            light = 0.7 + 0.6 * torch.rand(len(part), 3, 1, 1)
            shown = (pictures[part].float() * light).clamp(0, 255) / 127.5 - 1
            loss = nn.functional.smooth_l1_loss(network(shown), targets[part])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            losses.append(loss.item())
        schedule.step()
        print(epoch, round(float(np.mean(losses)), 4), flush=True)
    return network


def write(network: nn.Sequential) -> None:
    """As ONNX: ``image`` (N, 3, SIDE, SIDE) in −1..1 to ``body`` (N, 15)."""
    values, nodes, name = [], [], "image"

    def constant(array: torch.Tensor, title: str) -> str:
        values.append(numpy_helper.from_array(array.detach().numpy(), title))
        return title

    last = len(network) - 1
    for i, layer in enumerate(network):
        out = "body" if i == last else f"t{i}"
        if isinstance(layer, nn.Conv2d):
            pads = [layer.padding[0]] * 4
            inputs = [name, constant(layer.weight, f"w{i}"), constant(layer.bias, f"b{i}")]
            nodes.append(helper.make_node("Conv", inputs, [out], pads=pads, strides=list(layer.stride)))
        elif isinstance(layer, nn.Linear):
            inputs = [name, constant(layer.weight, f"w{i}"), constant(layer.bias, f"b{i}")]
            nodes.append(helper.make_node("Gemm", inputs, [out], transB=1))
        else:
            nodes.append(helper.make_node("Relu" if isinstance(layer, nn.ReLU) else "Flatten", [name], [out]))
        name = out
    ends = [
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["N", 3, SIDE, SIDE])],
        [helper.make_tensor_value_info("body", TensorProto.FLOAT, ["N", 15])],
    ]
    graph = helper.make_graph(nodes, "sample_body", *ends, values)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.save(model, OUT)


if __name__ == "__main__":
    torch.set_num_threads(1)
    write(train(*load(Path(sys.argv[1]))))
