"""A `Body` whose vertices the official package smplx computes (extra ``phq[smplx]``, non-commercial licence)."""

from __future__ import annotations

import contextlib
import io
import pickle
import tempfile
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from phq.errors import MissingExtraError
from phq.pose.body import Body, equal_batches
from phq.pose.smpl_kinds import FINGERS, Kind
from phq.system.arrays import Doubles


@dataclass(frozen=True, kw_only=True)
class OfficialBody(Body):
    """The body model as the package smplx computes it, from float32 copies of the arrays."""

    kind: Kind
    model: Any
    """smplx module whose rest pose has the neck at the origin."""

    def forward(
        self, pose: ArrayLike, betas: ArrayLike | None = None, transl: ArrayLike | None = None
    ) -> tuple[Doubles, Doubles, Doubles]:
        """As `Body.forward`, but for fingers: a turned hand joint turns each finger about its own first joint."""
        import torch

        p, b, t = equal_batches(pose, betas, transl)
        arguments = _arguments(p.reshape(-1, 24, 3), b.reshape(-1, 10), self.kind)
        with torch.no_grad():
            output = self.model(**{name: torch.tensor(value) for name, value in arguments.items()})
        vertices = output.vertices.numpy().reshape(*b.shape[:-1], -1, 3) + t[..., None, :]
        joints = output.joints.numpy()[:, self.kind.places].reshape(p.shape) + t[..., None, :]
        return vertices, joints, vertices[..., self._point_rows, :]

    def joints_only(
        self, pose: ArrayLike, betas: ArrayLike | None = None, transl: ArrayLike | None = None
    ) -> tuple[Doubles, Doubles]:
        """Joints (…, 24, 3) and named points (…, P, 3) of `forward`."""
        _, joints, points = self.forward(pose, betas, transl)
        return joints, points


def _arguments(pose: Doubles, betas: Doubles, kind: Kind) -> dict[str, Doubles]:
    """What smplx calls the pose (N, 24, 3) and betas (N, 10); face at rest."""
    n, hands = len(pose), kind.first_finger is not None
    arguments = {"betas": betas, "global_orient": pose[:, 0], "body_pose": pose[:, 1 : 22 if hands else 24]}
    for side, joint in (("left", 22), ("right", 23)) if hands else ():
        fingers = np.zeros((n, FINGERS, 3))
        fingers[:, ::3] = pose[:, [joint]]
        arguments[f"{side}_hand_pose"] = fingers
    if kind.name == "smplx":
        arguments |= {f"{part}_pose": np.zeros((n, 3)) for part in ("jaw", "leye", "reye")}
        arguments["expression"] = np.zeros((n, 10))
    return {name: value.reshape(n, -1) for name, value in arguments.items()}


def create_model(arrays: dict[str, NDArray[Any]], kind: Kind) -> Any:
    """smplx's module of the arrays that `phq.pose.smpl_file.read_model` gives.

    smplx would run whatever a pickle holds, wants chumpy for the original files, and goes by the file's name; so it
    is given a clean copy. What it asks for beyond the model's own arrays (hand components, facial landmarks) has no
    part in the vertices and is filled in.

    Raises:
        MissingExtraError: smplx or torch is not installed.
    """
    try:
        smplx, torch = import_module("smplx"), import_module("torch")
    except ModuleNotFoundError as error:
        raise MissingExtraError("smplx", "smplx", "computing a body with the official package") from error
    shapes = arrays["shapedirs"][..., :10]
    content = arrays | {"shapedirs": np.concatenate([shapes, np.zeros_like(shapes)], axis=-1)}  # no expressions
    content |= {f"hands_components{side}": np.eye(3 * FINGERS) for side in "lr"}
    content |= {f"hands_mean{side}": np.zeros(3 * FINGERS) for side in "lr"}
    content |= {"lmk_faces_idx": np.zeros(1, dtype=np.int64), "lmk_bary_coords": np.ones((1, 3)) / 3}
    options = {"ext": "pkl", "create_transl": False, "use_pca": False, "flat_hand_mean": True}
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        path = Path(folder) / f"{kind.name.upper()}_NEUTRAL.pkl"
        path.write_bytes(pickle.dumps(content))
        model = smplx.create(str(path), dtype=torch.float64, **options)
    # smplx appends vertices to its joints, by default SMPL-H's numbers whatever the mesh; nothing here reads them.
    model.vertex_joint_selector.extra_joints_idxs.zero_()
    return model
