"""The last layer of the orientation network learned anew on real people and renders, the trunk left as it is.

    python refit.py cache NETWORK.onnx FEATURES.npz TRAIN.npz [MORE.npz ...] --textures FOLDER [--seed 1]
    python refit.py learn NETWORK.onnx OUT.pt FEATURES.npz [MORE.npz ...] [--steps 1500] [--seed 1]

`cache` draws every person of the files that is not held back once, augmented as in `train.py`, and stores the trunk's
features of both crops; run it with several seeds for several draws. `learn` starts from the network's own last layer
and is drawn back to it. Minutes on one core, where `train.py` on all weights takes hours; OUT.pt goes to `export.py`.
"""

from __future__ import annotations

import argparse
import io
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from augment import load_textures
from model import Orientation
from torch import Tensor, nn
from train import Crops, loss_of

from phq.pose.orient.net import BODY_SIDE

CHUNK, BATCH, RATE, PULL = 64, 256, 1e-3, 0.02
"""Pictures at a time; people a step; learning rate; weight of the squared distance from the old layer."""


class Features(nn.Module):
    """Trunk features (N, 1280) of crops (N, 3, S, S) in 0..255."""

    def __init__(self, model: Orientation) -> None:
        super().__init__()
        self.model = model

    def forward(self, crops: Tensor) -> Tensor:
        """For the export."""
        return self.model.features_of(crops)


def features_session(model: Orientation) -> onnxruntime.InferenceSession:
    """The trunk on ONNX Runtime, one thread."""
    file, options = io.BytesIO(), onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    torch.onnx.export(Features(model).eval(), (torch.zeros(2, 3, BODY_SIDE, BODY_SIDE),), file, input_names=["x"],
                      output_names=["y"], dynamic_axes={"x": {0: "n", 2: "h", 3: "w"}, "y": {0: "n"}}, opset_version=17,
                      dynamo=False)  # fmt: skip
    return onnxruntime.InferenceSession(file.getvalue(), options, providers=["CPUExecutionProvider"])


def loaded(path: Path) -> Orientation:
    """A network that `export.py` wrote."""
    model = Orientation()
    model.load_onnx(path)
    return model.eval()


def cache(options: argparse.Namespace) -> None:
    """One augmented draw of everybody."""
    crops = Crops(options.files, [1.0] * len(options.files), load_textures(options.textures))
    session, found = features_session(loaded(options.network)), []
    for start in range(0, len(crops.people), CHUNK):
        rng, people = np.random.default_rng([options.seed, start]), range(start, min(start + CHUNK, len(crops.people)))
        body, head, target = crops.drawn(rng, people)
        both = np.concatenate([session.run(None, {"x": part.contiguous().numpy()})[0] for part in (body, head)], 1)
        found.append((both.astype(np.float16), target.numpy().astype(np.float32)))
        if start % (8 * CHUNK) == 0:
            print(start, len(crops.people), flush=True)
    features, targets = (np.concatenate(part) for part in zip(*found, strict=True))
    np.savez(options.out, features=features, targets=targets, shares=crops.shares)


def learn(options: argparse.Namespace) -> None:
    """The last layer."""
    model = loaded(options.network)
    data = [dict(np.load(path)) for path in options.files]
    features, targets = (
        torch.from_numpy(np.concatenate([d[k] for d in data]).astype(np.float32)) for k in ("features", "targets")
    )
    shares, rng = np.concatenate([d["shares"] for d in data]), np.random.default_rng(options.seed)
    shares, old = shares / shares.sum(), [p.detach().clone() for p in model.head.parameters()]
    optimiser = torch.optim.AdamW(model.head.parameters(), lr=RATE, weight_decay=0.0)
    drop, running = nn.Dropout(0.3), 0.0
    for step in range(options.steps):
        optimiser.param_groups[0]["lr"] = RATE * (0.5 + 0.5 * np.cos(np.pi * step / options.steps))
        pick = torch.from_numpy(rng.choice(len(features), BATCH, p=shares))
        loss = loss_of(model.head(drop(features[pick])), targets[pick]).mean()
        running += (loss.item() - running) / min(step + 1, 100)
        pull = sum(((p - o) ** 2).sum() for p, o in zip(model.head.parameters(), old, strict=True))
        optimiser.zero_grad()
        (loss + PULL * pull).backward()
        optimiser.step()
        if step % 300 == 0:
            print(step, f"{running:.3f}", flush=True)
    torch.save(model.state_dict(), options.out)
    print("loss", f"{running:.3f}")


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["cache", "learn"])
    parser.add_argument("network", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("files", type=Path, nargs="+")
    parser.add_argument("--textures", type=Path)
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    torch.manual_seed(options.seed)
    torch.set_num_threads(1)
    {"cache": cache, "learn": learn}[options.what](options)


if __name__ == "__main__":
    main()
