"""Train the gates of the fusion on people that the network has not seen; writes ``phq/orient/fusion_table.json``.

    python fusion.py ORIENTATION.onnx TRAIN.npz HELD_BAD.npz --textures FOLDER [--bench BENCH.npz]

Of TRAIN.npz the held-back people are used, of HELD_BAD.npz everybody (the same people in bad photos), of the bench the
images whose number is no multiple of three. Of the first two the network also sees spoilt crops while BlazePose saw the
photo, so that its doubt is met with all degrees of error. Some samples get the outputs of somebody else or front and
back confused, so that nothing learns to trust the network blindly.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from augment import load_textures, spoil
from evaluate import outputs
from model import BINS
from prepare import HELD_BACK
from torch import Tensor, nn
from train import target_of

from phq.orient import fuse
from phq.orient.decode import CENTRES, mirror_outputs

MIRROR = np.diag([-1.0, 1.0, 1.0])
HIDDEN = 16
NONSENSE, CONFUSED = 0.06, 0.1
"""Shares of samples whose outputs are somebody else's, or mirrored front to back."""


def mirrored_evidence(evidence: np.ndarray) -> np.ndarray:
    """(N, 143) of the mirror images; second pass and mirror run change places."""
    turned = (MIRROR @ evidence[:, :72].reshape(-1, 4, 2, 3, 3) @ MIRROR)[:, [0, 1, 3, 2]]
    return np.concatenate([turned.reshape(len(evidence), -1), evidence[:, 72:]], 1)


class Gates(nn.Module):
    """One small perceptron a part."""

    def __init__(self, mean: Tensor, std: Tensor) -> None:
        super().__init__()
        self.mean, self.std = mean, std
        self.w1 = nn.Parameter(torch.randn(2, len(mean), HIDDEN) * 0.1)
        self.b1 = nn.Parameter(torch.zeros(2, HIDDEN))
        self.w2 = nn.Parameter(torch.randn(2, HIDDEN, fuse.GATES) * 0.05)
        start = [0.5, 1.0, -2.0, 0.0, 0.0, -2.0, -2.0, 0.0]
        self.b2 = nn.Parameter(torch.tensor([start, start]))

    def forward(self, x: Tensor) -> Tensor:
        """(N, 2, 24) to (N, 2, 8)."""
        hidden = torch.tanh(torch.einsum("npi,pih->nph", (x - self.mean) / self.std, self.w1) + self.b1)
        return torch.einsum("nph,pho->npo", hidden, self.w2) + self.b2


def loss_of(gates: Tensor, raw: Tensor, angles: Tensor, target: Tensor) -> Tensor:
    """Cross entropy and gross error of the fused yaw, Laplace likelihood of pitch and roll."""
    centres = torch.from_numpy(CENTRES.astype(np.float32))
    a, k, m, again = (nn.functional.softplus(gates[..., i : i + 1]) for i in (0, 1, 2, 7))
    off = centres - angles[..., :1]
    net = (raw[..., :BINS].softmax(-1) + fuse.FLOOR).log()
    total = a * net + k * off[:, 0].cos() + m * (2 * off[:, 0]).cos()
    log_p = (total + again * (off[:, 2].cos() + off[:, 3].cos()) / 2).log_softmax(-1)
    entropy = -(target[..., :BINS] * log_p).sum(-1)
    p = log_p.exp()
    mean = torch.stack([(p * centres.cos()).sum(-1), (p * centres.sin()).sum(-1)], -1)
    gross = 1 - (mean * target[..., BINS + 2 :]).sum(-1)
    share = gates[..., 3:5].sigmoid()
    tilt = share * raw[..., BINS : BINS + 2] + (1 - share) * angles[:, 0, :, 1:]
    log_b = gates[..., 5:7].clamp(-4, 1)
    spread = ((tilt - target[..., BINS : BINS + 2]).abs() * (-log_b).exp() + log_b).sum(-1)
    return (entropy + gross + 0.5 * spread).mean()


def people(options: argparse.Namespace) -> tuple[np.ndarray, ...]:
    """Network outputs, evidence and rotations of everybody the fusion may learn from."""
    found = []
    textures = load_textures(options.textures)
    for path in [options.train, options.bad, *([options.bench] if options.bench else [])]:
        data = np.load(path)
        number = np.array([int(name.split("/")[1]) for name in data["names"]])
        keep = {options.train: np.arange(len(number)) % HELD_BACK == 0, options.bench: number % 3 != 0}
        chosen = keep.get(path, np.ones(len(number), bool))
        images, masks = data["images"][chosen], data["masks"][chosen]
        draws = [images]
        if path != options.bench:
            rng = np.random.default_rng(options.seed)
            draws += [np.stack([spoil(rng, i, m, textures) for i, m in zip(images, masks, strict=True)]) for _ in "ab"]
        for draw in draws:
            found.append((outputs(options.network, draw), data["evidence"][chosen], data["rotations"][chosen]))
    raw, evidence, rotations = (np.concatenate(part) for part in zip(*found, strict=True))
    return raw, evidence, rotations


def samples(options: argparse.Namespace, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    """The same with mirror images; some outputs are somebody else's."""
    raw, evidence, rotations = people(options)
    raw = np.concatenate([raw, mirror_outputs(raw)])
    evidence = np.concatenate([evidence, mirrored_evidence(evidence)])
    rotations = np.concatenate([rotations, MIRROR @ rotations @ MIRROR])
    doubt = rng.random(len(raw))
    raw[doubt < NONSENSE] = raw[rng.permutation(len(raw))[doubt < NONSENSE]]
    confused = (doubt >= NONSENSE) & (doubt < NONSENSE + CONFUSED)
    parts = raw.reshape(-1, 2, BINS + 4)
    parts[confused, :, :BINS] = parts[confused][..., (BINS // 2 - np.arange(BINS)) % BINS]
    return raw, evidence, rotations


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("network", type=Path)
    parser.add_argument("train", type=Path)
    parser.add_argument("bad", type=Path)
    parser.add_argument("--textures", type=Path, required=True)
    parser.add_argument("--bench", type=Path)
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    torch.manual_seed(options.seed)
    rng = np.random.default_rng(options.seed)
    raw, evidence, rotations = samples(options, rng)
    features = np.array([fuse.gate_features(r, e) for r, e in zip(raw, evidence, strict=True)])
    angles = np.radians([fuse.blazepose_angles(e) for e in evidence])
    targets = np.array([target_of(r) for r in rotations])
    x, parts, angle, target = (
        torch.from_numpy(np.asarray(v, np.float32)) for v in (features, raw.reshape(-1, 2, BINS + 4), angles, targets)
    )
    gates = Gates(x.mean((0, 1)), x.std((0, 1)) + 1e-2)
    optimiser = torch.optim.AdamW(gates.parameters(), lr=5e-3, weight_decay=0.05)
    for step in range(options.steps):
        optimiser.param_groups[0]["lr"] = 5e-3 * (0.5 + 0.5 * np.cos(np.pi * step / options.steps))
        pick = torch.from_numpy(rng.integers(0, len(x), 256))
        loss = loss_of(gates(x[pick]), parts[pick], angle[pick], target[pick])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        if step % 250 == 0:
            print(step, loss.item(), flush=True)
    values = {name: getattr(gates, name).detach().numpy() for name in ("mean", "std", "w1", "b1", "w2", "b2")}
    table = {"made_by": f"training/orientation/fusion.py, {len(x)} samples"}
    table |= {name: np.round(v.astype(float), 5).tolist() for name, v in values.items()}
    Path(fuse.__file__).with_name("fusion_table.json").write_text(json.dumps(table) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
