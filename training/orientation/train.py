"""Train the orientation network.

    python train.py TRAIN.npz --trunk mobilenetv2_feat.onnx --textures FOLDER --out RUN [--minutes 25] [--size 160]

Every fifth person of the renders is held back (for the fusion, and to watch). The learning rate follows the clock, so
that a run ends when it is told to; `RUN/last.pt` holds the averaged weights.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import torch
from augment import augment, load_textures
from evaluate import centre_crops
from model import BINS, Orientation
from prepare import HELD_BACK
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from phq.orient.angles import angles_of
from phq.orient.decode import decode

SPREAD = np.radians(7.5)
"""Width of the soft label over yaw bins."""
CENTRES = np.arange(BINS) * 2 * np.pi / BINS


def target_of(rotations: np.ndarray) -> np.ndarray:
    """(2, 28) soft yaw bins, pitch and roll (radians), cos and sin of yaw; torso and head."""
    angles = np.radians(np.stack([angles_of(r) for r in rotations]))
    weight = np.exp((np.cos(angles[:, :1] - CENTRES) - 1) / SPREAD**2)
    weight /= weight.sum(1, keepdims=True)
    return np.concatenate([weight, angles[:, 1:], np.cos(angles[:, :1]), np.sin(angles[:, :1])], 1)


class Crops(Dataset[tuple[Tensor, Tensor, float]]):
    """Augmented crops; `epoch` changes what is drawn."""

    def __init__(
        self, files: list[Path], weights: list[float], textures: list[np.ndarray], size: int, seed: int
    ) -> None:
        self.parts = []
        for path, weight in zip(files, weights, strict=True):
            data = np.load(path)
            images, masks, rotations = data["images"], data["masks"], data["rotations"]
            keep = [i for i in range(len(images)) if weight < 1 or i % HELD_BACK]
            self.parts += [(images[i], masks[i], rotations[i], weight) for i in keep]
        self.textures, self.size, self.seed, self.epoch = textures, size, seed, 0

    def __len__(self) -> int:
        return len(self.parts)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor, float]:
        image, mask, rotations, weight = self.parts[index]
        rng = np.random.default_rng([self.seed, self.epoch, index])
        picture, turned = augment(rng, image, mask, rotations, self.size, self.textures)
        target = torch.from_numpy(target_of(turned).astype(np.float32))
        return torch.from_numpy(np.ascontiguousarray(picture.transpose(2, 0, 1))), target, weight


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


@torch.no_grad()
def watch(model: nn.Module, path: Path, size: int, keep: slice = slice(None)) -> str:
    """Yaw errors on stored crops, undistorted: median, p90, flips of torso and head."""
    data = np.load(path)
    images, rotations = centre_crops(data["images"][keep], size), data["rotations"][keep]
    model.eval()
    raw = torch.cat([model(torch.from_numpy(b).permute(0, 3, 1, 2).float()) for b in np.array_split(images, 16)])
    model.train()
    seen = [decode(row)[:, 0] for row in raw.numpy()]
    true = [[angles_of(r)[0] for r in pair] for pair in rotations]
    off = np.abs((np.array(seen) - np.array(true) + 180) % 360 - 180)
    return "  ".join(f"{np.median(o):5.1f} {np.percentile(o, 90):5.1f} {100 * (o > 90).mean():4.1f}%" for o in off.T)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("train", type=Path, nargs="+")
    parser.add_argument("--weights", type=float, nargs="+", default=[1.0])
    parser.add_argument("--trunk", type=Path)
    parser.add_argument("--start", type=Path)
    parser.add_argument("--textures", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=25)
    parser.add_argument("--size", type=int, default=160)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rate", type=float, default=4e-4)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    torch.manual_seed(options.seed)
    torch.set_num_threads(2)
    options.out.mkdir(parents=True, exist_ok=True)
    model = Orientation().to(memory_format=torch.channels_last)
    if options.trunk:
        model.trunk.load_onnx(options.trunk)
    if options.start:
        model.load_state_dict(torch.load(options.start))
    run(model, options)


def run(model: Orientation, options: argparse.Namespace) -> None:
    """The loop, by the clock."""
    crops = Crops(options.train, options.weights, load_textures(options.textures), options.size, options.seed)
    average = torch.optim.swa_utils.AveragedModel(model, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.995))
    optimiser = torch.optim.AdamW(model.parameters(), lr=options.rate, weight_decay=0.02)
    start, step, running = time.time(), 0, 0.0
    model.train()
    while (done := (time.time() - start) / (60 * options.minutes)) < 1:
        loader = DataLoader(crops, options.batch, shuffle=True, num_workers=1, drop_last=True, prefetch_factor=4)
        for images, target, weight in loader:
            done = (time.time() - start) / (60 * options.minutes)
            if done >= 1:
                break
            rate = options.rate * min(1, (step + 1) / 60) * (0.5 + 0.5 * np.cos(np.pi * done))
            optimiser.param_groups[0]["lr"] = rate
            output = model(images.float().contiguous(memory_format=torch.channels_last))
            loss = (loss_of(output, target) * weight.float()).mean()
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 5.0)
            optimiser.step()
            average.update_parameters(model)
            step += 1
            running += (loss.item() - running) / min(step, 50)
            if step % 50 == 0:
                speed = step * options.batch / (time.time() - start)
                print(f"{done:.2f} epoch {crops.epoch} step {step} loss {running:.3f} {speed:.1f} img/s", flush=True)
        crops.epoch += 1
        torch.save(average.module.state_dict(), options.out / "last.pt")
        if crops.epoch % 3 == 0 or done >= 1:
            held_back = slice(0, None, HELD_BACK)
            print("held back", watch(average.module, options.train[0], options.size, held_back), flush=True)


if __name__ == "__main__":
    main()
