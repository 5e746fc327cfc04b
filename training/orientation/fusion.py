"""Train the gates of the fusion on people that the network has not seen; writes ``phq/pose/orient/fusion_table.json``.

    python fusion.py ORIENTATION.onnx --renders RENDERS.npz ... --people PHOTOS.npz ... --textures FOLDER

Of every file the held-back people are used, once as they are and once with worsened crops, while BlazePose saw the
picture; of real people those whose photo was cut (`photos.py`), since a whole body's label is the landmarks' own
word, and of these the half that is left to the gates. In every copy of a sample some outputs of the network are
somebody else's, turned front to back, or somebody else's and faint: the gates learn that a network can be wrong, and
that a faint one mostly is.
"""

from __future__ import annotations

import argparse
import json
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from augment import load_textures, worsened_crops
from evaluate import BODY_MARGIN, HEAD_MARGIN, centre_crops, open_network
from model import BINS
from torch import Tensor, nn
from train import held_back, target_of

from phq.pose.orient import fuse
from phq.pose.orient.angles import angles_of
from phq.pose.orient.decode import CENTRES
from phq.pose.orient.net import BODY_SIDE, HEAD_SIDE, both_ways

HIDDEN, RATE, BATCH = 16, 5e-3, 192
NONSENSE, CONFUSED, FAINT = 0.01, 0.01, 0.15
"""Shares of samples whose outputs are somebody else's, turned front to back, somebody else's and faint."""
COPIES = 2
WHOLE = 1.0
"""Metres shown below the neck from which a photo counts as whole."""
DOUBT = (80, 95)
"""Percentiles of the doubt on held-back photos between which the network's word fades."""
Samples = tuple[np.ndarray, ...]


class Gates(nn.Module):
    """One small perceptron a part."""

    def __init__(self, mean: Tensor, std: Tensor) -> None:
        super().__init__()
        self.mean, self.std = mean, std
        self.w1 = nn.Parameter(torch.randn(2, len(mean), HIDDEN) * 0.1)
        self.b1 = nn.Parameter(torch.zeros(2, HIDDEN))
        self.w2 = nn.Parameter(torch.randn(2, HIDDEN, fuse.GATES) * 0.05)
        start = [-1.0] * fuse.VIEWS + [0.0, -3.0] + [0.0] * (fuse.VIEWS + 1) + [-2.0, -2.0]
        self.b2 = nn.Parameter(torch.tensor([start, start]))

    def forward(self, x: Tensor) -> Tensor:
        """(N, 2, F) to (N, 2, GATES)."""
        standard = ((x - self.mean) / self.std).clamp(-5, 5)
        hidden = torch.tanh(torch.einsum("npi,pih->nph", standard, self.w1) + self.b1)
        return torch.einsum("nph,pho->npo", hidden, self.w2) + self.b2


def loss_of(gates: Tensor, views: Tensor, known: Tensor, angles: Tensor, target: Tensor) -> Tensor:
    """Cross entropy and gross error of the fused yaw, Laplace likelihood of pitch and roll.

    Args:
        gates: (N, 2, GATES).
        views: (N, VIEWS, 2, 28) outputs of the network.
        known: (N,) of `phq.pose.orient.fuse.familiarity`.
        angles: (N, 2, 3) closed form, radians.
        target: (N, 2, 29) of `train.target_of`.
    """
    v, centres = fuse.VIEWS, torch.from_numpy(CENTRES.astype(np.float32))
    trust, off = nn.functional.softplus(gates[..., : v + 2]), centres - angles[..., :1]
    net = (views[..., :BINS].softmax(-1) + fuse.FLOOR).log()
    known = known[:, None, None]
    total = known * torch.einsum("npv,nvpb->npb", trust[..., :v], net)
    total = total + fuse.PULL * trust[..., v : v + 1] * off.cos() + trust[..., v + 1 :] * (2 * off).cos()
    log_p = total.log_softmax(-1)
    entropy = -(target[..., :BINS] * log_p).sum(-1)
    p = log_p.exp()
    mean = torch.stack([(p * centres.cos()).sum(-1), (p * centres.sin()).sum(-1)], -1)
    gross = 1 - (mean * target[..., BINS + 2 : BINS + 4]).sum(-1)
    tilts = torch.cat([views[..., BINS : BINS + 2], angles[:, None, :, 1:]], 1)
    tilt = torch.einsum("npv,nvpt->npt", gates[..., v + 2 : -2].softmax(-1), tilts)
    tilt = known * tilt + (1 - known) * angles[..., 1:]
    log_b = gates[..., -2:].clamp(-4, 1)
    spread = ((tilt - target[..., BINS : BINS + 2]).abs() * (-log_b).exp() + log_b).sum(-1)
    return ((entropy + gross + 0.5 * spread) * target[..., BINS + 4]).mean()


def people(options: argparse.Namespace) -> tuple[Samples, np.ndarray]:
    """Network outputs (N, 2, 3, 56), evidence (N, 143), rotations (N, 2, 3, 3) and spread of the label (N, 2) of all
    who were held back; limits of the network's doubt on their pictures."""
    network, textures, found, doubts = open_network(options.network), load_textures(options.textures), [], []
    for path in [*options.renders, *options.people]:
        wanted = (lambda names: ~calibrates(names)) if path in options.people else None
        data = held_back_of(path, wanted)
        crops = crops_of(data)
        yaws = np.array([angles_of(r[1])[0] for r in data["rotations"]])
        draws = [crops, worsened_crops(options.seed, *crops, *masks_of(data), yaws, textures)]
        for body, head in draws:
            found.append((both_ways(network, body, head), data["evidence"], data["rotations"], data["label_sigma"]))
        doubts += [fuse.doubt_of(raw) for raw in found[-len(draws)][0]]
    parts = tuple(np.concatenate(part) for part in zip(*found, strict=True))
    return parts, np.percentile(doubts, DOUBT)


def held_back_of(path: Path, wanted: Callable[[np.ndarray], np.ndarray] | None = None) -> dict[str, np.ndarray]:
    """The held-back people of a file whose photo was cut (all renders); `wanted` keeps some of their names (N,)."""
    data = dict(np.load(path))
    kept = held_back(data["names"])
    if "cut" in data:
        kept &= data["cut"] < WHOLE
    if wanted is not None:
        kept &= wanted(data["names"])
    data.setdefault("label_sigma", np.zeros((len(kept), 2)))
    return {name: values[kept] for name, values in data.items()}


def calibrates(names: np.ndarray) -> np.ndarray:
    """(N,) bool: the half of the held-back real people (by photo) left for a calibration."""
    return np.array([zlib.crc32(str(name).split("#")[0].encode()) % 2 == 0 for name in names])


def crops_of(data: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Body and head crops as the network sees them at run time."""
    body = centre_crops(data["images"], BODY_SIDE, BODY_MARGIN)
    return body, centre_crops(data["heads"], HEAD_SIDE, HEAD_MARGIN)


def masks_of(data: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Their masks."""
    body = centre_crops(data["masks"], BODY_SIDE, BODY_MARGIN)
    return body, centre_crops(data["head_masks"], HEAD_SIDE, HEAD_MARGIN)


def with_lies(raw: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A copy with some wrong outputs, see the constants."""
    parts = raw.reshape(len(raw), 2, fuse.VIEWS, 2, BINS + 4).copy()
    other, doubt = parts[rng.permutation(len(raw))], rng.random(len(raw))
    first, second, third = np.cumsum([NONSENSE, CONFUSED, FAINT])
    parts[doubt < first] = other[doubt < first]
    confused = (doubt >= first) & (doubt < second)
    parts[confused, ..., :BINS] = parts[confused][..., (BINS // 2 - np.arange(BINS)) % BINS]
    faint = (doubt >= second) & (doubt < third)
    other[..., :BINS] *= rng.uniform(0.1, 0.6, (len(raw), 2, fuse.VIEWS, 2, 1))
    parts[faint] = other[faint]
    return np.asarray(parts.reshape(raw.shape))


def samples(options: argparse.Namespace, rng: np.random.Generator) -> tuple[tuple[Tensor, ...], np.ndarray]:
    """Features, mean outputs, familiarity, closed-form angles and targets of all copies; limits of the doubt."""
    (raw, evidence, rotations, sigma), limits = people(options)
    copies = [with_lies(raw, rng) for _ in range(COPIES)]
    features = np.array([[fuse.gate_features(r, e) for r, e in zip(c, evidence, strict=True)] for c in copies])
    views = np.array(copies).mean(2).reshape(-1, fuse.VIEWS, 2, BINS + 4)
    known = np.array([fuse.familiarity(fuse.doubt_of(r), limits) for c in copies for r in c])
    angles = np.tile(np.radians([fuse.blazepose_angles(e)[0] for e in evidence]), (COPIES, 1, 1))
    targets = np.tile([target_of(r, s) for r, s in zip(rotations, sigma, strict=True)], (COPIES, 1, 1))
    parts = (features.reshape(-1, *features.shape[2:]), views, known, angles, targets)
    return tuple(torch.from_numpy(np.asarray(part, np.float32)) for part in parts), limits


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("network", type=Path)
    parser.add_argument("--renders", type=Path, nargs="+", required=True)
    parser.add_argument("--people", type=Path, nargs="+", required=True)
    parser.add_argument("--textures", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    torch.manual_seed(options.seed)
    torch.set_num_threads(1)
    rng = np.random.default_rng(options.seed)
    (x, *rest), limits = samples(options, rng)
    gates = Gates(x.mean((0, 1)), x.std((0, 1)) + 2e-2)
    optimiser = torch.optim.AdamW(gates.parameters(), lr=RATE, weight_decay=0.05)
    for step in range(options.steps):
        optimiser.param_groups[0]["lr"] = RATE * (0.5 + 0.5 * np.cos(np.pi * step / options.steps))
        pick = torch.from_numpy(rng.integers(0, len(x), BATCH))
        loss = loss_of(gates(x[pick]), *(part[pick] for part in rest))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    values = {name: getattr(gates, name).detach().numpy() for name in ("mean", "std", "w1", "b1", "w2", "b2")}
    values["doubt"] = limits
    table = {"made_by": f"training/orientation/fusion.py, {len(x)} samples"}
    table |= {name: np.round(v.astype(float), 5).tolist() for name, v in values.items()}
    Path(fuse.__file__).with_name("fusion_table.json").write_text(json.dumps(table) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
