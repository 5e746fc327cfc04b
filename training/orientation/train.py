"""Train the orientation network by steps; the same files and seed give the same checkpoints.

    python train.py TRAIN.npz [MORE.npz ...] --trunk FEATURES.onnx --textures FOLDER --out RUN --steps 1000 --seed 1
    python train.py TRAIN.npz [MORE.npz ...] --start RUN/step1000.pt --decay --textures FOLDER --out RUN2 --steps 550

--start also takes an orientation.onnx, with its head.

Without --decay the learning rate is constant, with it a cosine leads it to zero. Checkpoints hold averaged weights.
Every seventh rendered person (by name) is held back, and every photo of HELD_BACK_PHOTOS: the fusion learns from them.
The device is CUDA where there is one, else one thread of the CPU.
"""

from __future__ import annotations

import argparse
import io
import time
import zlib
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from augment import augment, load_textures
from evaluate import BODY_MARGIN, HEAD_MARGIN
from model import BINS, FROZEN, Orientation
from torch import Tensor, nn

from phq.pose.orient.angles import angles_of
from phq.pose.orient.net import BODY_SIDE, HEAD_SIDE

HELD_BACK = 7
HELD_BACK_PHOTOS = Path(__file__).parent / "lists" / "held_back.txt"
"""Files of real people (by source, not by picture) that never train the network."""
SPREAD = np.radians(7.5)
"""Width of the soft label over yaw bins."""
CENTRES = np.arange(BINS) * 2 * np.pi / BINS
OFTEN, OFTEN_FROM, OFTEN_TO = 1.4, 60.0, 155.0
"""Heads turned by so many degrees are drawn that much more often."""
WARM_UP = 60
SIDE, EDGE = 0.5, 2.0
"""Weight of the front/back term, and how sharply it parts the bins 90° off."""
EVERY = 25


@cache
def held_back_photos() -> frozenset[str]:
    """Their paths as the list has them, behind each file's hash."""
    return frozenset(HELD_BACK_PHOTOS.read_text(encoding="utf-8").split()[1::2])


def held_back(names: np.ndarray) -> np.ndarray:
    """(N,) bool: people who never train the network; photos are named ``path#person``, renders ``folder/person.view``
    or, with one view each, ``folder/person``."""
    return np.array([_held_back(str(name)) for name in names])


def _held_back(name: str) -> bool:
    if "#" in name:
        return name.split("#", maxsplit=1)[0] in held_back_photos()
    return zlib.crc32(name.split(".", maxsplit=1)[0].encode()) % HELD_BACK == 0


def target_of(rotations: np.ndarray, sigma: np.ndarray) -> np.ndarray:
    """(2, 29) soft yaw bins, pitch and roll (radians), cos and sin of yaw, weight; torso and head.

    Args:
        rotations: (2, 3, 3).
        sigma: (2,) spread of the label in degrees, NaN for no label.
    """
    angles = np.radians(np.stack([angles_of(r) for r in rotations]))
    spread = np.hypot(SPREAD, np.radians(np.nan_to_num(sigma)))[:, None]
    share = np.exp((np.cos(angles[:, :1] - CENTRES) - 1) / spread**2)
    share /= share.sum(1, keepdims=True)
    known = np.isfinite(sigma)[:, None].astype(float)
    return np.concatenate([share, angles[:, 1:], np.cos(angles[:, :1]), np.sin(angles[:, :1]), known], 1)


class Crops:
    """Stored crops of several files; `batch` draws augmented ones."""

    def __init__(self, files: list[Path], weights: list[float], textures: list[np.ndarray]) -> None:
        self.people, shares, self.textures = [], [], textures
        for path, weight in zip(files, weights, strict=True):
            data = dict(np.load(path))
            kept = np.flatnonzero(~held_back(data["names"]))
            sigma = data.get("label_sigma", np.zeros((len(data["names"]), 2)))
            evened = even_shares(np.array([angles_of(data["rotations"][i, 0])[0] for i in kept]))
            for i, share in zip(kept, evened, strict=True):
                body = (data["images"][i], data["masks"][i], BODY_SIDE, BODY_MARGIN)
                head = (data["heads"][i], data["head_masks"][i], HEAD_SIDE, HEAD_MARGIN)
                self.people.append(([body, head], data["rotations"][i], sigma[i]))
                turned = OFTEN_FROM < abs(angles_of(data["rotations"][i, 1])[0]) < OFTEN_TO
                shares.append(weight * share * (OFTEN if turned else 1.0))
            print(path.name, len(kept), flush=True)
        self.shares = np.array(shares) / sum(shares)

    def batch(self, rng: np.random.Generator, size: int) -> tuple[Tensor, Tensor, Tensor]:
        """Body crops, head crops and targets (N, 2, 29) of people drawn by their shares."""
        return self.drawn(rng, rng.choice(len(self.people), size, p=self.shares))

    def drawn(self, rng: np.random.Generator, people: Iterable[int]) -> tuple[Tensor, Tensor, Tensor]:
        """The same of given people."""
        drawn = []
        for i in people:
            crops, rotations, sigma = self.people[i]
            (body, head), turned = augment(rng, crops, rotations, self.textures)
            drawn.append((body, head, target_of(turned, sigma).astype(np.float32)))
        bodies, heads, targets = (np.stack(part) for part in zip(*drawn, strict=True))
        return pictures(bodies), pictures(heads), torch.from_numpy(targets)


def even_shares(yaws: np.ndarray) -> np.ndarray:
    """(N,) shares of a file's people that add up to 1: those whose side is rare are drawn more often."""
    sector = np.rint(yaws / 30).astype(int) % 12
    share = 1 / np.sqrt(np.bincount(sector, minlength=12)[sector])
    return np.asarray(share / share.sum())


def pictures(crops: np.ndarray) -> Tensor:
    """(N, S, S, 3) uint8 to (N, 3, S, S) float."""
    planes = torch.from_numpy(np.ascontiguousarray(crops)).permute(0, 3, 1, 2)
    return planes.float().contiguous(memory_format=torch.channels_last)


def loss_of(output: Tensor, target: Tensor) -> Tensor:
    """(N,) cross entropy over yaw bins, front/back cross entropy (the mass on the true side), expected 1 − cos of the
    yaw error, Laplace likelihood of pitch and roll; a part without a label counts nothing."""
    parts = output.view(-1, 2, BINS + 4)
    log_p = parts[..., :BINS].log_softmax(-1)
    entropy = -(target[..., :BINS] * log_p).sum(-1)
    centres = torch.from_numpy(CENTRES.astype(np.float32)).to(output.device)
    p, truth = log_p.exp(), target[..., BINS + 2 : BINS + 4]
    mean = torch.stack([(p * centres.cos()).sum(-1), (p * centres.sin()).sum(-1)], -1)
    gross = 1 - (mean * truth).sum(-1)
    cosine = truth[..., :1] * centres.cos() + truth[..., 1:] * centres.sin()
    side = -((p * (0.5 + cosine * EDGE).clamp(0, 1)).sum(-1) + 1e-3).log()
    log_b = parts[..., BINS + 2 :].clamp(-4, 1)
    off = (parts[..., BINS : BINS + 2] - target[..., BINS : BINS + 2]).abs()
    tilt = (off * (-log_b).exp() + log_b).sum(-1)
    return ((entropy + gross + SIDE * side + 0.5 * tilt) * target[..., BINS + 4]).sum(-1)


class FastFront(nn.Module):
    """The frozen front on ONNX Runtime, 3.6 times as fast on one thread of a CPU as torch."""

    def __init__(self, model: Orientation) -> None:
        super().__init__()
        self.front, file = model.front, io.BytesIO()
        self.train = lambda mode=True: self  # type: ignore[method-assign]
        torch.onnx.export(self, (torch.zeros(2, 3, HEAD_SIDE, HEAD_SIDE),), file, input_names=["x"], output_names=["y"],
                          dynamic_axes={k: {0: "n", 2: "h", 3: "w"} for k in "xy"}, opset_version=17,
                          dynamo=False)  # fmt: skip
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(file.getvalue(), options, providers=["CPUExecutionProvider"])

    def forward(self, crops: Tensor) -> Tensor:
        """As `Orientation.front`, for the export."""
        return self.front(crops)

    def run(self, crops: Tensor) -> Tensor:
        """(N, C, H, W)."""
        (values,) = self.session.run(None, {"x": crops.contiguous().numpy()})
        return torch.from_numpy(values).contiguous(memory_format=torch.channels_last)


def front_of(model: Orientation, device: str) -> Callable[[Tensor], Tensor]:
    """What makes the rest's input of crops."""
    return FastFront(model).run if device == "cpu" else model.front


def run(model: Orientation, crops: Crops, options: argparse.Namespace) -> None:
    """The loop; every step draws its own batch from (seed, step)."""
    kept = 0.99
    average = torch.optim.swa_utils.AveragedModel(model, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(kept))
    learning = [p for p in model.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(learning, lr=options.rate, weight_decay=0.02)
    front = front_of(model, options.device)
    model.train()
    start, running = time.time(), 0.0
    for step in range(options.steps):
        share = 0.5 + 0.5 * np.cos(np.pi * step / options.steps) if options.decay else 1.0
        optimiser.param_groups[0]["lr"] = options.rate * min(1, (step + 1) / WARM_UP) * share
        drawn = crops.batch(np.random.default_rng([options.seed, step]), options.batch)
        body, head, target = (part.to(options.device) for part in drawn)
        loss = loss_of(model.from_front(front(body), front(head)), target).mean()
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimiser.step()
        average.update_parameters(model)
        running += (loss.item() - running) / min(step + 1, 50)
        if (step + 1) % EVERY == 0 or step + 1 == options.steps:
            print(
                f"{step + 1} loss {running:.3f}, {time.time() - start:.0f} s, {time.process_time():.0f} s of CPU",
                flush=True,
            )
            torch.save(average.module.state_dict(), options.out / f"step{step + 1}.pt")


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("train", type=Path, nargs="+")
    parser.add_argument("--weights", type=float, nargs="+", help="how often people of each file are drawn")
    parser.add_argument("--trunk", type=Path)
    parser.add_argument("--start", type=Path)
    parser.add_argument("--textures", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument("--decay", action="store_true")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rate", type=float, default=5e-4)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    torch.manual_seed(options.seed)
    torch.set_num_threads(1)
    options.device = "cuda" if torch.cuda.is_available() else "cpu"
    options.out.mkdir(parents=True, exist_ok=True)
    model = Orientation()
    if options.trunk:
        model.trunk.load_onnx(options.trunk)
    if options.start and options.start.suffix == ".onnx":
        model.load_onnx(options.start)
    elif options.start:
        model.load_state_dict(torch.load(options.start, map_location="cpu"))
    model = model.to(options.device, memory_format=torch.channels_last)
    for layer in list(model.trunk.layers)[:FROZEN]:
        layer.requires_grad_(False)
    weights = options.weights or [1.0] * len(options.train)
    run(model, Crops(options.train, weights, load_textures(options.textures)), options)


if __name__ == "__main__":
    main()
