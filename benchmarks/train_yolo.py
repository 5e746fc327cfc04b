"""A YOLO network that finds people after minutes of training on the CPU, and how well: a proof, not a product.

    python benchmarks/train_yolo.py BENCH OUT [--minutes 14] [--side 192]

BENCH has rendered people: BENCH/train to learn from, BENCH/set held out, each NNNNN.jpg with NNNNN.json. `yolo11n`
starts at random from the description in the package (nothing is downloaded), learns the visible boxes, and OUT/best.pt
is what

    phq build PHOTOS DATASET --set models.detector=yolo:OUT/best.pt

takes. OUT/seen.jpg shows what it finds. Then, on the held-out pictures: how often the main person is found (a believed
box with an intersection over union of at least 0.5, and of 0.7), by this network, by NanoDet alone and with MoveNet as
`phq build` runs them, and by a box that is always the middle one of the training people: what needs no eyes.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from phq.config.build import Detect, Models
from phq.detect.backends.yolo.detector import YoloDetector
from phq.detect.backends.yolo.package import yolo_class
from phq.detect.boxes import iou
from phq.stages.detect_people import DetectPeople

FOUND, CLOSE = 0.5, 0.7
SHOWN = 12

Finder = Callable[[np.ndarray], np.ndarray]


def people(path: Path) -> list[tuple[bool, list[float]]]:
    """(is the main person, x0, y0, x1, y1 in pixels) of everybody who can be seen."""
    data = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    return [(p["main"], p["bbox_visible_xyxy"]) for p in data["people"] if p["mask_pixels"] > 0]


def write_labels(pictures: Sequence[Path], out: Path, split: str) -> None:
    """Copies of the pictures, and a text file of normalised boxes beside each, as ultralytics wants them."""
    for kind in ("images", "labels"):
        (out / kind / split).mkdir(parents=True, exist_ok=True)
    for path in pictures:
        with Image.open(path) as picture:
            size = np.array(picture.size * 2, float)
        lines = []
        for _, box in people(path):
            x0, y0, x1, y1 = np.array(box) / size
            lines.append(f"0 {(x0 + x1) / 2:.6f} {(y0 + y1) / 2:.6f} {x1 - x0:.6f} {y1 - y0:.6f}\n")
        shutil.copyfile(path, out / "images" / split / path.name)
        (out / "labels" / split / f"{path.stem}.txt").write_text("".join(lines), encoding="utf-8")


def train(out: Path, minutes: float, side: int) -> Path:
    """The trained weights."""
    (out / "data.yaml").write_text(f"path: {out.resolve()}\ntrain: images/train\nval: images/val\nnames: [person]\n")
    schedule = {"time": minutes / 60, "val": False, "warmup_epochs": 1.0, "optimizer": "AdamW", "lr0": 0.001}
    # nbs: a step after each batch, not after 64 pictures, for there is time for few
    pictures = {"imgsz": side, "batch": 8, "nbs": 8, "mosaic": 0.3, "close_mosaic": 1, "translate": 0.2, "cache": "ram"}
    quiet = {"plots": False, "workers": 0, "device": "cpu", "amp": False, "pretrained": False, "seed": 0}
    place = {"data": str(out / "data.yaml"), "project": str(out.resolve()), "name": "run", "exist_ok": True}
    yolo_class()("yolo11n.yaml").train(**schedule, **pictures, **quiet, **place)
    return Path(shutil.copyfile(out / "run" / "weights" / "best.pt", out / "best.pt"))


def finders(weights: Path, training: Sequence[Path]) -> dict[str, Finder]:
    """Boxes that are believed, (N, 4), of each way to find people."""
    yolo = YoloDetector(str(weights))

    def by_yolo(pixels: np.ndarray) -> np.ndarray:
        found = yolo.detect([pixels], yolo.threshold, tiles=True)[0]
        return found.boxes[found.scores >= yolo.threshold]

    def staged(**models: str) -> Finder:
        stage = DetectPeople(Detect(), Models(**models))
        stage.setup()
        return lambda pixels: np.array([p.box for p in stage.detect([pixels])[0]]).reshape(-1, 4)

    boxes = [np.array(box) / Image.open(path).width for path in training for main, box in people(path) if main]
    middle = np.median(boxes, axis=0)
    return {
        "yolo11n, trained here": by_yolo,
        "the same, and MoveNet": staged(detector=f"yolo:{weights}"),
        "NanoDet": staged(skeleton="none"),
        "NanoDet and MoveNet": staged(),
        "always the middle box": lambda pixels: middle[None] * pixels.shape[1],
    }


def draw(paths: Sequence[Path], finder: Finder, out: Path) -> None:
    """One sheet of pictures with what is found (green) and what is there (white)."""
    tiles = []
    for path in paths:
        pixels = np.array(Image.open(path).convert("RGB"))
        for boxes, colour in (([box for _, box in people(path)], (255, 255, 255)), (finder(pixels), (0, 220, 0))):
            for x0, y0, x1, y1 in np.asarray(boxes, int).reshape(-1, 4).tolist():
                cv2.rectangle(pixels, (x0, y0), (x1, y1), colour, 6)
        tiles.append(cv2.resize(pixels, (320, 320), interpolation=cv2.INTER_AREA))
    rows = [np.hstack(tiles[start : start + 4]) for start in range(0, len(tiles), 4)]
    Image.fromarray(np.vstack(rows)).save(out, quality=90)


def measure(paths: Sequence[Path], ways: dict[str, Finder]) -> None:
    """Recall of the main person, and boxes a picture that are nobody's."""
    print(f"{len(paths)} held-out pictures")
    print("\n| by | main person found, 0.5 | 0.7 | boxes of nobody, a picture |\n|---|---|---|---|")
    for name, finder in ways.items():
        found, close, false = 0, 0, 0
        for path in paths:
            boxes, there = finder(np.array(Image.open(path).convert("RGB"))), people(path)
            overlap = iou(np.array([box for _, box in there], float), boxes)
            best = overlap[[main for main, _ in there]].max(initial=0)
            found, close = found + (best >= FOUND), close + (best >= CLOSE)
            false += int((overlap < FOUND).all(0).sum())
        rates = f"{found / len(paths):.1%} | {close / len(paths):.1%} | {false / len(paths):.2f}"
        print(f"| {name} | {rates} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bench", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--minutes", type=float, default=14)
    parser.add_argument("--side", type=int, default=192)
    options = parser.parse_args()
    training, held_out = (sorted((options.bench / name).glob("*.jpg")) for name in ("train", "set"))
    weights = options.out / "best.pt"
    if not weights.exists():
        write_labels(training, options.out, "train")
        write_labels(held_out[:40], options.out, "val")  # the package wants some at the end; nothing is chosen by them
        train(options.out, options.minutes, options.side)
    ways = finders(weights, training)
    draw(held_out[:: len(held_out) // SHOWN][:SHOWN], ways["yolo11n, trained here"], options.out / "seen.jpg")
    measure(held_out, ways)


if __name__ == "__main__":
    main()
