"""The discriminator's poses of a dataset's people, as predictions for ``phq annotate``."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch

from phq.camera.convention import world2cam
from phq.camera.rotations import rotvec_to_rotmat
from phq.dataset.overlays import LATEST
from phq.dataset.reader import Dataset
from phq.errors import InputError
from phq.generator.evaluate.real import look
from phq.generator.evaluate.subject import read_trained
from phq.generator.train.mixture import check
from phq.generator.train.ranks import joined
from phq.generator.train.trained import checkpoint_after
from phq.system.arrays import Floats
from phq.system.atomic import disk_errors_explained, write_bytes
from phq.system.linear import product

DECIMALS = 6


@disk_errors_explained
def write_poses(
    run: str | Path,
    data: str | Path,
    out: str | Path,
    *,
    batch: int = 8,
    checkpoint: int | None = None,
    device: str = "auto",
    revision: str = LATEST,
) -> int:
    """Write what a run's discriminator reads off the pictures of a dataset; what ``phq gan poses`` does.

    A line a sample of all splits: ``key``, ``neck`` (axis-angle on the torso, radians) and ``rotation`` (3×3 head to
    the camera of the stored picture, OpenCV axes): ``--as headpose --convention headshot``. The camera is taken as the
    dataset states it.

    Args:
        run: folder of the run.
        data: folder or URL of a phq dataset.
        out: JSON lines file.
        batch: pictures that are looked at at a time.
        checkpoint: the one after so many images; the newest if None.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
        revision: the revision of the dataset whose samples and cameras are taken.

    Returns:
        The number of samples.

    Raises:
        InputError: no run or checkpoint, or one without a network that predicts poses; a dataset that lacks something.
        ConfigError: no such device.
        OutputError: the file cannot be written.
    """
    found = checkpoint_after(Path(run), checkpoint)
    with joined(device) as ranks, torch.inference_mode():
        subject = read_trained(found, ranks.device)
        if subject.d is None:
            raise InputError(f"{run} has no network that predicts poses")
        dataset = Dataset(data, split=None, revision=revision)
        check(dataset, subject.config.model.resolution)
        seen = look(dataset, subject, {}, batch)
    lines = list(pose_lines(dataset.keys, seen.camera.double().numpy(), seen.seen.double().numpy()))
    write_bytes(Path(out), "".join(lines).encode())
    return len(lines)


def pose_lines(keys: Sequence[str], cameras: Floats, poses: Floats) -> Iterator[str]:
    """The lines of N samples: cameras (N, 25), poses (N, 6) axis-angle of neck and head, radians."""
    for key, camera, pose in zip(keys, cameras[:, :16].reshape(-1, 4, 4), poses.reshape(-1, 2, 3), strict=True):
        neck, head = rotvec_to_rotmat(pose)
        rotation = product(world2cam(camera)[:3, :3], neck, head)
        row = {"key": key, "neck": pose[0].round(DECIMALS).tolist(), "rotation": rotation.round(DECIMALS).tolist()}
        yield json.dumps(row) + "\n"
