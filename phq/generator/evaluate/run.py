"""`evaluate`: every measure of a training run against a dataset, in one report."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from phq.dataset.overlays import LATEST
from phq.generator.evaluate import fakes, real
from phq.generator.evaluate.consistency import view_consistency
from phq.generator.evaluate.distances import distances
from phq.generator.evaluate.extractors import FID, extractors_for
from phq.generator.evaluate.features import Extractor
from phq.generator.evaluate.inception import kid
from phq.generator.evaluate.masks import MOST, mask_agreement
from phq.generator.evaluate.material import Material, choose, true_poses
from phq.generator.evaluate.poses import compared, mean_pose, stated_poses
from phq.generator.evaluate.report import rounded, write_report
from phq.generator.evaluate.subject import Subject, read_trained, untrained
from phq.generator.train.ranks import joined
from phq.generator.train.trained import checkpoint_after
from phq.system.atomic import disk_errors_explained
from phq.system.version import __version__

FOLDER = "evaluation"
Report = dict[str, Any]


@disk_errors_explained
def evaluate(  # noqa: PLR0913 (as many as the command has options)
    run: str | Path,
    data: str | Path,
    *,
    out: str | Path | None = None,
    count: int = 1000,
    batch: int = 8,
    seed: int = 0,
    checkpoint: int | None = None,
    device: str = "auto",
    revision: str = LATEST,
    truth: str | None = None,
) -> Report:
    """Measure a training run; what ``phq gan evaluate`` does. docs/generator.md explains every number.

    Args:
        run: folder of the run.
        data: folder or URL of a phq dataset; of its splits, the one that was trained on and ``val``.
        out: file of the report; ``evaluation/NNNNNNNNN.json`` in the run if None.
        count: pictures of a distance, at most as many as the split has.
        batch: pictures that are rendered at a time.
        seed: of the latents, and of which pictures are taken.
        checkpoint: the one after so many images; the newest if None.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
        revision: the revision of the dataset, as it was trained on.
        truth: the revision whose poses of neck and head are true: ``none`` or the name of an overlay; None: unknown.

    Raises:
        InputError: no run, no such checkpoint or state; a dataset that lacks something, or has fewer than two pictures.
        ConfigError: no such device.
        OutputError: the report cannot be written.
    """
    found = checkpoint_after(Path(run), checkpoint)
    with joined(device) as ranks, torch.inference_mode():
        subject = read_trained(found, ranks.device)
        material = choose(data, subject.config, revision, count, seed)
        extractors, missing = extractors_for(ranks.device)
        seen = real.look(material.trained, subject, extractors, batch)
        camera, poses = seen.camera[: material.count], seen.seen[: material.count]
        cast = fakes.people(subject, camera, poses, seed)
        fresh = untrained(subject.config, ranks.device)
        made = {
            "coupled": fakes.look(subject, cast, extractors, batch),
            "decoupled": fakes.look(subject, cast.decoupled(seed), extractors, batch),
            "untrained": fakes.look(fresh, fakes.people(fresh, camera, poses, seed), extractors, batch),
        }
        intrinsics = camera[:, 16:].double().mean(dim=0).numpy()
        report: Report = {
            "version": __version__,
            "run": str(run),
            "images": found.images,
            "dataset": str(data),
            "overlays": material.whole.overlays,
            "seed": seed,
            "pose": subject.metric_pose,
            **_distances(seen, made, extractors, seed),
            **missing,
            "view_consistency": view_consistency(subject, intrinsics, seed, batch),
            "poses": _poses(subject, material, seen, data, truth, batch),
            "masks": _masks(subject, material, cast, seen, made["coupled"], batch),
        }
    report = rounded(report)
    path = Path(out) if out else Path(run) / FOLDER / f"{found.images:09d}.json"
    write_report(path, report)
    return report


def _distances(
    seen: real.Real, made: Mapping[str, fakes.Fakes], extractors: Mapping[str, Extractor], seed: int
) -> Report:
    report: Report = {}
    for name, extractor in extractors.items():
        sets = {how: fake.features[name] for how, fake in made.items()}
        (average,) = extractor(seen.mean_image[None])
        yaw = torso_yaws(seen.camera[: len(sets["coupled"])])
        report[name] = distances(seen.features[name], sets, average, yaw)
        if name == FID:
            near = seen.features[name][: len(yaw)]
            report["kid"] = {how: kid(near, features, seed) for how, features in sets.items()}
    return report


def _poses(
    subject: Subject, material: Material, seen: real.Real, data: str | Path, truth: str | None, batch: int
) -> Report | None:
    """Errors of the discriminator's poses, on the split that was trained on and on the one held out; None without."""
    if subject.d is None:
        return None
    constant, looked = mean_pose(stated_poses(material.whole)), {"trained": (material.trained, seen)}
    if len(material.held_out):
        looked["held_out"] = (material.held_out, real.look(material.held_out, subject, {}, batch))
    report = {}
    for name, (dataset, found) in looked.items():
        true = None if truth is None else true_poses(dataset, data, truth)
        report[name] = compared(found.seen.numpy(), found.stated.numpy(), constant, true)
    return report


def _masks(
    subject: Subject, material: Material, cast: fakes.People, seen: real.Real, made: fakes.Fakes, batch: int
) -> Report:
    few = min(MOST, material.count)
    return {
        **mask_agreement(subject, cast.first(few), material.trained[:few], batch),
        "foreground_generated": float(made.foreground.mean()),
        "foreground_dataset": float(seen.foreground[: material.count].mean()),
    }


def torso_yaws(camera: Tensor) -> NDArray[np.float64]:
    """(N,) yaw of cameras (N, 25), degrees: 0 in front, + on the subject's left."""
    x, z = camera[:, 3].double().numpy(), camera[:, 11].double().numpy()
    return np.asarray(np.degrees(np.arctan2(x, z)))
