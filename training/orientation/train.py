"""Train the orientation network by steps; the same files and seed give the same checkpoints.

    python train.py TRAIN.npz [MORE.npz ...] --trunk FEATURES.onnx --textures FOLDER --out RUN --steps 1000 --seed 1
    python train.py TRAIN.npz [MORE.npz ...] --start RUN/step1000.pt --decay --textures FOLDER --out RUN2 --steps 550

Without --decay the learning rate is constant, with it a cosine leads it to zero. Checkpoints hold averaged weights.
Every seventh person of the files (by name) is held back: the fusion learns from them.
"""

from __future__ import annotations

import argparse
import time
import zlib
from pathlib import Path

import numpy as np
import torch
from augment import augment, load_textures
from evaluate import BODY_MARGIN, HEAD_MARGIN
from model import BINS, Orientation
from torch import Tensor, nn

from phq.pose.orient.angles import angles_of
from phq.pose.orient.net import BODY_SIDE, HEAD_SIDE

HELD_BACK = 7
SPREAD = np.radians(7.5)
"""Width of the soft label over yaw bins."""
CENTRES = np.arange(BINS) * 2 * np.pi / BINS
FROZEN = 8
"""First layers of the trunk that keep their weights: they cost most of the time and learn least."""
OFTEN, OFTEN_FROM, OFTEN_TO = 1.4, 60.0, 155.0
"""Heads turned by so many degrees are drawn that much more often."""
WARM_UP = 60
EVERY = 100


def held_back(names: np.ndarray) -> np.ndarray:
    """(N,) bool: people who never train the network."""
    return np.array([zlib.crc32(str(name).encode()) % HELD_BACK == 0 for name in names])


def target_of(rotations: np.ndarray) -> np.ndarray:
    """(2, 28) soft yaw bins, pitch and roll (radians), cos and sin of yaw; torso and head."""
    angles = np.radians(np.stack([angles_of(r) for r in rotations]))
    weight = np.exp((np.cos(angles[:, :1] - CENTRES) - 1) / SPREAD**2)
    weight /= weight.sum(1, keepdims=True)
    return np.concatenate([weight, angles[:, 1:], np.cos(angles[:, :1]), np.sin(angles[:, :1])], 1)


class Crops:
    """Stored crops of several files; `batch` draws augmented ones."""

    def __init__(self, files: list[Path], weights: list[float], textures: list[np.ndarray]) -> None:
        self.people, shares, self.textures = [], [], textures
        for path, weight in zip(files, weights, strict=True):
            data = dict(np.load(path))
            for i in np.flatnonzero(~held_back(data["names"])):
                body = (data["images"][i], data["masks"][i], BODY_SIDE, BODY_MARGIN)
                head = (data["heads"][i], data["head_masks"][i], HEAD_SIDE, HEAD_MARGIN)
                self.people.append(([body, head], data["rotations"][i]))
                turned = OFTEN_FROM < abs(angles_of(data["rotations"][i, 1])[0]) < OFTEN_TO
                shares.append(weight * (OFTEN if turned else 1.0))
        self.shares = np.array(shares) / sum(shares)

    def batch(self, rng: np.random.Generator, size: int) -> tuple[Tensor, Tensor, Tensor]:
        """Body crops, head crops and targets (N, 2, 28)."""
        drawn = []
        for i in rng.choice(len(self.people), size, p=self.shares):
            crops, rotations = self.people[i]
            (body, head), turned = augment(rng, crops, rotations, self.textures)
            drawn.append((body, head, target_of(turned).astype(np.float32)))
        bodies, heads, targets = (np.stack(part) for part in zip(*drawn, strict=True))
        return pictures(bodies), pictures(heads), torch.from_numpy(targets)


def pictures(crops: np.ndarray) -> Tensor:
    """(N, S, S, 3) uint8 to (N, 3, S, S) float."""
    planes = torch.from_numpy(np.ascontiguousarray(crops)).permute(0, 3, 1, 2)
    return planes.float().contiguous(memory_format=torch.channels_last)


def loss_of(output: Tensor, target: Tensor) -> Tensor:
    """(N,) cross entropy over yaw bins, expected 1 − cos of the yaw error, Laplace likelihood of pitch and roll."""
    parts = output.view(-1, 2, BINS + 4)
    log_p = parts[..., :BINS].log_softmax(-1)
    entropy = -(target[..., :BINS] * log_p).sum(-1)
    centres = torch.from_numpy(CENTRES.astype(np.float32))
    p = log_p.exp()
    mean = torch.stack([(p * centres.cos()).sum(-1), (p * centres.sin()).sum(-1)], -1)
    gross = 1 - (mean * target[..., BINS + 2 :]).sum(-1)
    log_b = parts[..., BINS + 2 :].clamp(-4, 1)
    off = (parts[..., BINS : BINS + 2] - target[..., BINS : BINS + 2]).abs()
    tilt = (off * (-log_b).exp() + log_b).sum(-1)
    return (entropy + gross + 0.5 * tilt).sum(-1)


def run(model: Orientation, crops: Crops, options: argparse.Namespace) -> None:
    """The loop; every step draws its own batch from (seed, step)."""
    kept = 0.99 if options.decay else 0.995
    average = torch.optim.swa_utils.AveragedModel(model, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(kept))
    learning = [p for p in model.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(learning, lr=options.rate, weight_decay=0.02)
    model.train()
    start, running = time.time(), 0.0
    for step in range(options.steps):
        share = 0.5 + 0.5 * np.cos(np.pi * step / options.steps) if options.decay else 1.0
        optimiser.param_groups[0]["lr"] = options.rate * min(1, (step + 1) / WARM_UP) * share
        body, head, target = crops.batch(np.random.default_rng([options.seed, step]), options.batch)
        loss = loss_of(model(body, head), target).mean()
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimiser.step()
        average.update_parameters(model)
        running += (loss.item() - running) / min(step + 1, 50)
        if (step + 1) % EVERY == 0 or step + 1 == options.steps:
            print(f"{step + 1} loss {running:.3f}, {time.time() - start:.0f} s", flush=True)
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
    options.out.mkdir(parents=True, exist_ok=True)
    model = Orientation()
    if options.trunk:
        model.trunk.load_onnx(options.trunk)
    if options.start:
        model.load_state_dict(torch.load(options.start))
    model = model.to(memory_format=torch.channels_last)
    for layer in list(model.trunk.layers)[:FROZEN]:
        layer.requires_grad_(False)
    weights = options.weights or [1.0] * len(options.train)
    run(model, Crops(options.train, weights, load_textures(options.textures)), options)


if __name__ == "__main__":
    main()
