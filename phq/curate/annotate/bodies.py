"""Stage: the labels that are there, stated for another body. ``phq annotate --body``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from phq.camera.convention import world2cam
from phq.curate.annotate.views import stored_people
from phq.dataset.embedded import BODY_COLUMNS, EmbeddedLabels
from phq.dataset.reader import Dataset
from phq.people.person import Photo, known
from phq.people.record import BodyLabel, CameraLabel
from phq.pose.body import Body, load_body
from phq.pose.body_choice import open_body
from phq.pose.transfer import Posed, Transfer, transfer_to
from phq.schema import SMPL_JOINTS
from phq.system.arrays import Floats

COMPARED = ("head", "neck", "left_shoulder", "right_shoulder")
"""Joints whose places are compared."""
MOST_COMPARED = 200
"""Samples."""


class StateForBody:
    """The body columns of every person who has labels of the embedded body, for the body that a spec names."""

    name = "body"

    def __init__(self, spec: str) -> None:
        self.spec = spec

    def setup(self) -> None:
        """Load the body and lay it on the embedded one."""
        self.transfer = transfer_to(open_body(self.spec))

    def process(self, photos: list[Photo]) -> None:
        """Every living person; one without labels of the embedded body keeps the labels there are."""
        for person in stored_people(photos):
            body = known(person.body)
            if body.body_model == load_body().name != self.transfer.body.name:
                person.body = self._transferred(body, known(person.camera))

    def _transferred(self, body: BodyLabel, camera: CameraLabel) -> BodyLabel:
        posed = self.transfer(posed_of(body.columns()), world2cam(camera.cam2world)[:3, 3])
        neck_head = posed.pose[[SMPL_JOINTS.index(name) for name in ("neck", "head")]]
        return BodyLabel(self.transfer.body.name, posed.pose, posed.betas, posed.transl, body.pose_observed, neck_head)


def posed_of(fields: Mapping[str, Any]) -> Posed:
    """What a record says of its body."""
    pose, betas, transl = (np.asarray(fields[name], float) for name in ("smpl_pose", "smpl_betas", "smpl_transl"))
    return Posed(pose.reshape(24, 3), betas, transl)


def places_in_crop(body: Body, row: Mapping[str, Any]) -> Floats:
    """(4, 2) where the joints `COMPARED` of a row's body lie in the stored picture, fraction of its side."""
    posed = posed_of(row)
    joints = body.joints_only(posed.pose, posed.betas, posed.transl)[0]
    seen = joints[[SMPL_JOINTS.index(name) for name in COMPARED]] @ np.reshape(row["intrinsics"], (3, 3)).T
    return np.asarray(seen[:, :2] / seen[:, 2:])


def distances(samples: Dataset, labels: pa.Table, body: Body) -> Floats:
    """(N, 4) how far the joints `COMPARED` of a body lie from the embedded body's, fraction of the stored picture.

    Args:
        samples: as they were.
        labels: `BODY_COLUMNS` by key, as they are now; of many, `MOST_COMPARED` at most are compared.
        body: of the new labels.
    """
    under, found = EmbeddedLabels(samples), []
    spread = np.unique(np.linspace(0, len(labels) - 1, min(len(labels), MOST_COMPARED)).astype(int))
    for after in labels.select(["key", *BODY_COLUMNS]).take(spread).to_pylist():
        before = samples[after["key"]].row
        own = under.of(before)
        if own is not None and after["body_model"] == body.name != load_body().name:
            both = places_in_crop(load_body(), before | own), places_in_crop(body, before | after)
            found.append(np.linalg.norm(both[0] - both[1], axis=1))
    return np.array(found).reshape(-1, len(COMPARED))


def placing(samples: Dataset, labels: pa.Table, transfer: Transfer) -> dict[str, Any]:
    """How a body was placed: what the overlay says of it, and the command prints.

    ``stated`` and ``kept``: samples that have it now, and those that had no labels of the embedded body.
    ``median_percent`` and ``most_percent`` of the picture's side: `distances` of ``compared`` samples.
    ``neck_offset_mm``: see `phq.pose.transfer.Transfer.neck_offset`.
    """
    body, names = transfer.body, labels["body_model"].to_pylist()
    found = distances(samples, labels, body) * 100
    return {
        "stated": names.count(body.name),
        "kept": len(names) - names.count(body.name),
        "compared": len(found),
        "median_percent": round(float(np.median(found)), 3) if len(found) else 0.0,
        "most_percent": round(float(found.max()), 3) if len(found) else 0.0,
        "neck_offset_mm": np.round(transfer.neck_offset * 1000, 1).tolist(),
    }
