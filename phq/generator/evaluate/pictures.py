"""`evaluate_pictures`: the pictures of any generator, in a folder, against a dataset."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image as Pil
from PIL import UnidentifiedImageError

from phq.dataset.loader import Loader
from phq.dataset.overlays import LATEST
from phq.dataset.reader import Dataset
from phq.errors import InputError
from phq.generator.evaluate.distances import frechet_distance, precision_recall
from phq.generator.evaluate.extractors import FID, extractors_for
from phq.generator.evaluate.features import Extractor
from phq.generator.evaluate.report import rounded, write_report
from phq.system.arrays import Floats, Image
from phq.system.atomic import disk_errors_explained
from phq.system.said import reason_of
from phq.system.version import __version__

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")


def pictures_in(folder: Path) -> list[Path]:
    """The pictures of a folder and of those in it, by name; masks and depths of ``phq gan sample`` are none."""
    found = (path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    return sorted(path for path in found if not path.stem.endswith(("-mask", "-depth")))


@disk_errors_explained
def evaluate_pictures(  # noqa: PLR0913 (as many as the command has options)
    folder: Path, data: str | Path, *, out: Path | None = None, count: int = 1000, batch: int = 8, seed: int = 0,
    revision: str = LATEST, device: str = "cpu",
) -> dict[str, Any]:  # fmt: skip
    """Distances, precision and recall of pictures against as many of a dataset's split ``train``, at their side.

    Args:
        folder: square pictures of one side, of whatever made them.
        data: folder or URL of a phq dataset.
        out: file of the report; none if None.
        count: pictures of a distance, at most as many as there are of either.
        batch: pictures looked at a time.
        seed: of which are taken.
        revision: the revision of the dataset.
        device: of the network of FID.

    Raises:
        InputError: fewer than two pictures, or of several sides, or one that cannot be read; no dataset.
        OutputError: the report cannot be written.
    """
    made, dataset = pictures_in(folder), Dataset(data, split="train", revision=revision)
    count = min(count, len(made), len(dataset))
    if count < 2:
        raise InputError(
            f"{folder} and {data} hold {len(made)} and {len(dataset)} pictures: a distance needs two of each"
        )
    chosen = [made[i] for i in np.random.default_rng([seed, 3]).permutation(len(made))[:count]]
    side = len(_read(chosen[0]))
    extractors, missing = extractors_for(torch.device(device))
    found = _features([_read(path, side) for path in chosen], extractors, batch)
    kept = dataset.select(np.random.default_rng([seed, 0]).permutation(len(dataset))[: 2 * count])
    real = _real_features(kept, side, extractors, batch)
    report: dict[str, Any] = {
        "version": __version__, "pictures": str(folder), "dataset": str(data), "overlays": dataset.overlays,
        "seed": seed, "images": count, "side": side, FID: None, **missing,
    }  # fmt: skip
    for name in extractors:
        near, half = real[name][:count], len(real[name]) // 2
        halves = frechet_distance(real[name][:half], real[name][half : 2 * half])
        measured = {"distance": frechet_distance(near, found[name]), **precision_recall(near, found[name]),
                    "real_halves": {"distance": halves, "images": half}}  # fmt: skip
        report[name] = rounded(measured)
    if out is not None:
        write_report(out, report)
    return report


def table(report: dict[str, Any]) -> str:
    """A few lines of Markdown."""
    what = f"{report['images']} pictures of {report['side']}² in {report['pictures']}"
    lines = [f"{what} against {report['dataset']}", "",
             "| | distance | precision | recall | real against real |", "|---|---|---|---|---|"]  # fmt: skip
    for name, title in (("fd_mobilenetv2", "FD-MobileNetV2"), ("fid", "FID")):
        if found := report[name]:
            halves = found["real_halves"]
            lines.append(f"| {title} | {found['distance']:.1f} | {found['precision']:.2f} | {found['recall']:.2f} | "
                         f"{halves['distance']:.1f} (n {halves['images']}) |")  # fmt: skip
    return "\n".join([*lines, *([f"no FID: {report['fid_missing']}"] if "fid_missing" in report else [])])


def _read(path: Path, side: int | None = None) -> Image:
    """(H, H, 3) RGB.

    Raises:
        InputError: it cannot be read, is not square, or of another side.
    """
    try:
        with Pil.open(path) as picture:
            pixels = np.array(picture.convert("RGB"))
    except (OSError, UnidentifiedImageError, ValueError) as error:
        raise InputError(f"{path} cannot be read as a picture: {reason_of(error)}") from error
    if pixels.shape[0] != pixels.shape[1] or side not in (None, len(pixels)):
        wanted = "square" if side is None else f"{side} × {side} as the others"
        raise InputError(f"{path} is {pixels.shape[1]} × {pixels.shape[0]} pixels, not {wanted}")
    return pixels


def _features(images: list[Image], extractors: Mapping[str, Extractor], batch: int) -> dict[str, Floats]:
    parts = [np.stack(images[i : i + batch]) for i in range(0, len(images), batch)]
    return {name: np.concatenate([extract(part) for part in parts]) for name, extract in extractors.items()}


def _real_features(dataset: Dataset, side: int, extractors: Mapping[str, Extractor], batch: int) -> dict[str, Floats]:
    """(N, D) of each extractor, in the dataset's order."""
    rows: dict[str, list[Floats]] = {name: [np.zeros(0)] * len(dataset) for name in extractors}
    for items in Loader(dataset, batch, size=side, rank=0, world_size=1):
        images = items["image"].permute(0, 2, 3, 1).contiguous().numpy()
        for name, extract in extractors.items():
            for number, row in zip(items["index"].tolist(), extract(images), strict=True):
                rows[name][number] = row
    return {name: np.stack(each) for name, each in rows.items()}
