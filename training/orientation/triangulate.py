"""Torso truth on real photographs: landmarks of all cameras of an instant, triangulated, and the body put into them."""

from __future__ import annotations

import itertools
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
from prepare import cameras

from phq.camera.rotations import kabsch
from phq.pose.closed_form import TORSO, TORSO_WEIGHTS, landmark_table
from phq.pose.orient.angles import angles_of

LESS_SURE = 1.6
"""How much nearer three rays must meet than four to be believed."""


def centres(calibration: Path) -> list[np.ndarray]:
    """(3,) camera positions, millimetres."""
    return [np.array([float(t.attrib[k]) for k in "xyz"]) for t in ET.parse(calibration).getroot().iter("transform")]


def meet(origins: np.ndarray, directions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(3,) point nearest to rays, and (N,) its distances from them."""
    across = np.eye(3) - directions[:, :, None] * directions[:, None, :]
    point = np.linalg.solve(across.sum(0), np.einsum("nij,nj->i", across, origins))
    return point, np.linalg.norm(np.einsum("nij,nj->ni", across, point - origins), axis=1)


def triangulate(origins: np.ndarray, directions: np.ndarray) -> tuple[np.ndarray, float]:
    """Point and mean ray distance from all rays, or from three when one camera is clearly wrong."""
    best: tuple[float, np.ndarray, float] | None = None
    everyone = tuple(range(len(origins)))
    for some in [everyone, *(itertools.combinations(everyone, 3) if len(everyone) > 3 else [])]:
        point, off = meet(origins[list(some)], directions[list(some)])
        score = float(off.max()) * (1.0 if len(some) == len(everyone) else LESS_SURE)
        if best is None or score < best[0]:
            best = score, point, float(off.mean())
    assert best is not None
    return best[1], best[2]


def torso_truth(data: dict[str, np.ndarray], calibration: Path) -> np.ndarray:
    """(N, 3) yaw, pitch, roll of the torso of every row of a multiview npz, from all cameras of its instant."""
    lenses, origins = cameras(calibration), centres(calibration)
    instants: dict[str, list[int]] = {}
    for i, name in enumerate(data["names"]):
        instants.setdefault(name.split("/")[1], []).append(i)
    truth, misses = np.zeros((len(data["names"]), 3)), []
    for rows in instants.values():
        views = [int(data["names"][i][3:5]) - 1 for i in rows]
        body = []
        for landmark in TORSO:
            rays = [
                lenses[k][0].T @ np.linalg.solve(lenses[k][1], [*data["points"][i, landmark], 1])
                for k, i in zip(views, rows, strict=True)
            ]
            directions = np.array(rays) / np.linalg.norm(rays, axis=1, keepdims=True)
            point, miss = triangulate(np.array([origins[k] for k in views]), directions)
            body.append(point / 1000)
            misses.append(miss)
        world = kabsch(landmark_table().torso, np.array(body), TORSO_WEIGHTS)
        truth[rows] = [angles_of(data["rotations"][i, 0] @ world) for i in rows]
    print(f"triangulated: rays miss by {np.median(misses):.0f} mm (median)")
    return truth
