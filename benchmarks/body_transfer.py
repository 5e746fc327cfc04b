"""How near another body of the SMPL family comes to the embedded one, whose labels it is given (``annotate --body``).

    python benchmarks/body_transfer.py DATASET [FILE…]

DATASET is built from photographs, as by `phq build examples/photos DATASET --preset everything`. FILE are SMPL, SMPL-H
or SMPL-X models of yours; without any, the embedded body plays them, written in SMPL's mesh: as it is, with other means
and shape numbers, and with its neck joint moved by 25 mm. Median and largest distance of head and shoulder joints,
elbows and wrists, face points and skin of the bust in millimetres, and of head, neck and shoulders in the picture in
per cent of its side.
"""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = "1"

import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy.spatial import cKDTree

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from smpl_files import KIND, renumbered, smpl_arrays, somebody_else, write_npz

from phq.camera.convention import world2cam
from phq.curate.annotate.bodies import COMPARED, places_in_crop, posed_of
from phq.dataset.reader import Dataset
from phq.pose.body import NECK, Body, load_body
from phq.pose.body_choice import open_body
from phq.pose.transfer import POINT_SIGMAS, Rest, Transfer, transfer_to
from phq.schema import SMPL_JOINTS

PARTS = {
    "head": [SMPL_JOINTS.index(name) for name in COMPARED if name != "neck"],
    "arms": [SMPL_JOINTS.index(f"{side}_{joint}") for side in ("left", "right") for joint in ("elbow", "wrist")],
}


def players(folder: Path) -> Iterator[tuple[str, Body]]:
    """Files that the embedded body plays, read again."""
    body = renumbered(load_body(), 6890)
    regressor = body.J_regressor.copy()
    regressor[NECK] = 0.7 * regressor[NECK] + 0.3 * regressor[SMPL_JOINTS.index("head")]
    bodies = {"the same": body} | {f"another {n}": somebody_else(body, n) for n in range(3)}
    bodies |= {"neck moved": replace(body, J_regressor=regressor)}
    for name, one in bodies.items():
        yield name, open_body(str(write_npz(folder / "model.npz", smpl_arrays(one, KIND["smpl"]))))


def measured(transfer: Transfer, row: dict[str, object]) -> dict[str, np.ndarray]:
    """Distances of one sample, millimetres; ``picture`` in per cent."""
    body, embedded = transfer.body, load_body()
    before = posed_of(row)
    after = transfer(before, world2cam(np.reshape(row["cam2world"], (4, 4)))[:3, 3])
    (theirs, joints, points), (mine, my_joints, my_points) = (
        one.forward(p.pose, p.betas, p.transl) for one, p in ((embedded, before), (body, after))
    )
    names = [name for name in POINT_SIGMAS if name in body.face_points]
    rows = [[list(b.face_points).index(name) for name in names] for b in (embedded, body)]
    joint = np.linalg.norm(joints - my_joints, axis=1)
    face = np.linalg.norm(points[rows[0]] - my_points[rows[1]], axis=1)
    skin = cKDTree(theirs).query(mine[Rest(body).bust])[0]
    stated = row | {"smpl_pose": after.pose, "smpl_betas": after.betas, "smpl_transl": after.transl}
    picture = np.linalg.norm(places_in_crop(embedded, row) - places_in_crop(body, stated), axis=1)
    in_mm = {name: joint[which] * 1000 for name, which in PARTS.items()} | {"face": face * 1000, "skin": skin * 1000}
    return in_mm | {"picture": picture * 100}


def main(dataset: str, *files: str) -> None:
    """Print a line a body."""
    rows = [item.row for item in Dataset(dataset, revision="none")]
    with tempfile.TemporaryDirectory() as folder:
        bodies = [(file, open_body(file)) for file in files] or players(Path(folder))
        print(f"{len(rows)} samples: median / largest")
        for name, body in bodies:
            transfer = transfer_to(body)
            found = [measured(transfer, row) for row in rows]
            told = {part: np.concatenate([one[part] for one in found]) for part in found[0]}
            offset = np.linalg.norm(transfer.neck_offset) * 1000
            line = "  ".join(f"{part} {np.median(v):.2f} / {v.max():.2f}" for part, v in told.items())
            print(f"{name:<12} {line}  neck {offset:.1f} mm")


if __name__ == "__main__":
    main(*sys.argv[1:])
