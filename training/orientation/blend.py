"""Weights between two networks: a start that knows renders, and what training on real people made of it.

    python blend.py START.onnx TRAINED.pt --share 0.8 --out BLEND.pt

A network taught anew forgets; a point on the way between both keeps most of either (Wortsman et al. 2022, "Robust
fine-tuning of zero-shot models").
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from model import Orientation
from torch import Tensor


def blended(start: dict[str, Tensor], trained: dict[str, Tensor], share: float) -> dict[str, Tensor]:
    """Every weight that share of the way from `start` to `trained`."""
    return {name: value + share * (trained[name] - value) for name, value in start.items()}


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("start", type=Path)
    parser.add_argument("trained", type=Path)
    parser.add_argument("--share", type=float, required=True)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    model = Orientation()
    model.load_onnx(options.start)
    trained = torch.load(options.trained, map_location="cpu")
    torch.save(blended(model.state_dict(), trained, options.share), options.out)


if __name__ == "__main__":
    main()
