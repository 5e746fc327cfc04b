"""How many JPEGs without an end marker are taken for whole: whole ones, and ones cut with noise behind the cut.

    python benchmarks/cut_jpegs.py PHOTOS [--most N]

Each photo is encoded anew, at most 480 pixels wide and high, in four qualities, with the standard Huffman tables and
with its own, and with a trailer of noise without a marker in place of the end marker.
"""

from __future__ import annotations

import argparse
import io
from collections import Counter
from pathlib import Path

import numpy as np
from PIL import Image

from phq.photos.jpeg_blocks import are_all_there
from phq.photos.jpeg_layout import read_layout

QUALITIES = (60, 75, 85, 92)
CUTS = (0.0, 0.003, 0.01, 0.03, 0.1)
"""Part of the scan's data that is cut off."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--most", type=int, default=10**9, help="photos, evenly spread")
    arguments = parser.parse_args()
    paths = [p for p in sorted(arguments.photos.rglob("*")) if p.suffix.lower() in (".jpg", ".jpeg", ".png")]
    passed: Counter[tuple[str, float]] = Counter()
    step = max(1, len(paths) // arguments.most)
    for number, path in enumerate(paths[::step]):
        picture = Image.open(path).convert("RGB")
        picture.thumbnail((480, 480))
        for kind in ({}, {"optimize": True}, {"progressive": True}):
            data = io.BytesIO()
            picture.save(data, "JPEG", quality=QUALITIES[number % 4], **kind)
            for cut in CUTS:
                passed[next(iter(kind), "standard tables"), cut] += _passes(data.getvalue(), cut, number)
    print(f"{len(paths[::step])} photos; taken for whole, by the part of the last scan that is cut off:")
    for kind in ("standard tables", "optimize", "progressive"):
        print(f"{kind:16s}", "  ".join(f"{cut:.1%}: {passed[kind, cut]}" for cut in CUTS))


def _passes(data: bytes, cut: float, seed: int) -> bool:
    layout = read_layout(data)
    last = layout.scans[-1]
    n = round(cut * (last.end - last.start))
    noise = np.random.default_rng([seed, n]).bytes(4000).replace(b"\xff", b"")
    data = data[: last.end - n] + noise
    return are_all_there(data, read_layout(data), len(layout.scans))


if __name__ == "__main__":
    main()
