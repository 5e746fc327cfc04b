"""Loads the user's own SMPL, SMPL-H or SMPL-X file (.npz or .pkl, as officially distributed) as a `Body`.

None of these files comes with phq; their licences are between the user and the Max Planck Society. Whatever the
file's own skeleton, the body has SMPL's 24 joints and 72 pose numbers: bones of the file that are not among them ride
on one that is. In SMPL-H and SMPL-X each hand is one joint, which turns all fingers about the first knuckle of the
middle finger (where SMPL has its hand joint); the 15 finger joints stay straight. SMPL-X's jaw and eyes ride on the
head. Shape numbers are the first 10; facial expressions are left out. The neck joint of the mean shape is the origin.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any, Literal
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from phq.errors import WeightError
from phq.pose.body import NECK, Body, load_body
from phq.pose.smpl_kinds import KINDS, Kind
from phq.pose.smpl_pickle import plain_array, read_pickle
from phq.system.arrays import Doubles
from phq.system.linear import product
from phq.system.said import reason_of

KEYS = ("v_template", "shapedirs", "posedirs", "J_regressor", "weights", "kintree_table", "f")
"""What a model file must hold; everything else in it is left alone."""

FACE_JOINTS = 5
"""Of FLAME: root, neck, jaw, eyes."""
SUM_TOLERANCE = 1e-3

POINT_VERTICES: dict[int, dict[str, int]] = {
    6890: {
        "nose": 331, "left_eye": 2802, "right_eye": 6262, "left_ear": 583, "right_ear": 4071,
        "left_ear_back": 3489, "right_ear_back": 3990,
    },
    10475: {"nose": 9120, "left_eye": 9448, "right_eye": 9929, "left_ear": 6, "right_ear": 616},
}  # fmt: skip
"""Vertices of face points by the number of vertices of the mesh: SMPL's (SMPL-H's is the same), and SMPL-X's.

Sources: nose, eyes and ears' backs of SMPL from 3DCrowdNet (its face_kps_vertex, after which the template table was
made); SMPL's ears (those of COCO and OpenPose) and all of SMPL-X from the table vertex_ids.py of the package smplx.
The top of the head is the highest vertex."""


def load_smpl(
    path: Path | str, use: Literal["file", "smplx"] = "file", points: Mapping[str, int] | None = None
) -> Body:
    """The body model in a SMPL, SMPL-H or SMPL-X file; its `name` is, for instance, ``smpl:0123abcd``.

    Args:
        path: .npz or .pkl. Pickles are opened by `phq.pose.smpl_pickle`, which runs nothing; chumpy is not needed.
        use: ``"file"``: phq's own forward pass. ``"smplx"``: the official package (non-commercial licence) computes
            the vertices; the two differ by its float32, and in the fingers when a hand joint is turned.
        points: vertices of named points, for a mesh other than SMPL's or SMPL-X's.

    Raises:
        WeightError: the file is missing, damaged, refused, or no such body model.
        MissingExtraError: ``use="smplx"`` without the package.
    """
    arrays, kind, sha256 = read_model(path)
    named = points or POINT_VERTICES.get(len(arrays["v_template"]))
    if named is None:
        raise WeightError(f"{path} has {len(arrays['v_template'])} vertices: name the face points of this mesh")
    arrays["v_template"] = arrays["v_template"] - product(arrays["J_regressor"][NECK], arrays["v_template"])
    fields = _fields(arrays, kind, named) | {"name": f"{kind.name}:{sha256[:8]}", "sha256": sha256}
    if use == "file":
        return Body(**fields)
    from phq.pose.smplx_package import OfficialBody, create_model

    return OfficialBody(**fields, kind=kind, model=create_model(arrays, kind))


def read_model(path: Path | str) -> tuple[dict[str, NDArray[Any]], Kind, str]:
    """The arrays `KEYS` of a model file, dense and float64 (vertex and joint numbers int64), its kind, and its sha256.

    Raises:
        WeightError: the file is missing, damaged, refused, or no model of the SMPL family.
    """
    try:
        data = Path(path).read_bytes()
        content = _read_npz(data) if data.startswith(b"PK") else read_pickle(data, str(path))
        missing = [key for key in KEYS if key not in content]
        if missing:
            raise WeightError(f"{path} is not an SMPL model file: it lacks {', '.join(missing)}")
        arrays = {key: plain_array(content[key]).astype(np.float64) for key in KEYS}
        crooked = [key for key in KEYS if not np.isfinite(arrays[key]).all()]
        if crooked:
            raise WeightError(f"{path}: {crooked[0]} has numbers that are not finite")
        arrays |= {key: arrays[key].astype(np.int64) for key in ("f", "kintree_table")}
        return arrays, _checked_kind(arrays, str(path)), hashlib.sha256(data).hexdigest()
    except (OSError, EOFError, BadZipFile, ValueError, TypeError, AttributeError, LookupError, RecursionError) as error:
        raise WeightError(f"{path} cannot be read as a body model: {reason_of(error)}") from error


def _read_npz(data: bytes) -> dict[str, object]:
    with np.load(BytesIO(data), allow_pickle=False) as members:
        return {key: members[key] for key in KEYS if key in members}


def _checked_kind(arrays: dict[str, NDArray[Any]], source: str) -> Kind:
    """Which member of the family it is.

    Raises:
        WeightError: shapes do not fit together, rows do not sum to one, or the skeleton is another.
    """
    vertices, joints = arrays["v_template"].shape[0], arrays["weights"].shape[-1]
    kind = KINDS.get(joints)
    if kind is None:
        also = "; it is a model of the face alone (FLAME)" if joints == FACE_JOINTS else ""
        raise WeightError(f"{source} has {joints} joints; SMPL has 24, SMPL-H 52, SMPL-X 55{also}")
    shapes = {
        "v_template": (vertices, 3), "shapedirs": (vertices, 3, max(10, arrays["shapedirs"].shape[-1])),
        "posedirs": (vertices, 3, 9 * (joints - 1)), "J_regressor": (joints, vertices), "weights": (vertices, joints),
        "kintree_table": (2, joints), "f": (len(arrays["f"]), 3),
    }  # fmt: skip
    for key, shape in shapes.items():
        if arrays[key].shape != shape:
            raise WeightError(f"{source}: {key} has shape {arrays[key].shape}, expected {shape}")
    if _parents(arrays, kind) != load_body().parents:
        raise WeightError(f"{source}: kintree_table is not SMPL's skeleton")
    if arrays["f"].min() < 0 or arrays["f"].max() >= vertices:
        raise WeightError(f"{source}: f names vertices that the mesh does not have")
    for key in ("weights", "J_regressor"):
        if np.abs(arrays[key].sum(1) - 1).max() > SUM_TOLERANCE:
            raise WeightError(f"{source}: rows of {key} do not sum to one")
    return kind


def _parents(arrays: dict[str, NDArray[Any]], kind: Kind) -> tuple[int, ...]:
    above = arrays["kintree_table"][0, kind.places[1:]]
    return (-1, *(kind.carriers[p] if 0 <= p < len(kind.carriers) else -1 for p in above))


def _fields(arrays: dict[str, NDArray[Any]], kind: Kind, points: Mapping[str, int]) -> dict[str, Any]:
    """Fields of `Body` but its name and sha256, reduced to 24 joints."""
    highest = int(arrays["v_template"][:, 1].argmax())
    return {
        "v_template": arrays["v_template"],
        "shapedirs": arrays["shapedirs"][..., :10],
        "J_regressor": arrays["J_regressor"][kind.places],
        "weights": product(arrays["weights"], kind.carrying(list(range(len(kind.carriers))))),
        "faces": arrays["f"],
        "parents": _parents(arrays, kind),
        "face_points": {**points, "head_top": points.get("head_top", highest)},
        "posedirs": _reduced_posedirs(arrays["posedirs"], kind),
    }


def _reduced_posedirs(posedirs: Doubles, kind: Kind) -> Doubles | None:
    """(V, 3, 207) of (V, 3, 9·(J − 1)); None if all are zero.

    A hand bends as its five first finger joints together: what they add for the same rotation is summed.
    """
    if not posedirs.any():
        return None
    by_joint = posedirs.reshape(*posedirs.shape[:2], -1, 9)
    turning = kind.turning[1:]
    summed = np.einsum("vcjk,jm->vcmk", by_joint[:, :, [j - 1 for j in turning]], kind.carrying(turning)[:, 1:])
    return np.asarray(summed.reshape(*posedirs.shape[:2], -1))
