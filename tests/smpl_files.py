"""Writes bodies as files of the SMPL family, with the keys, shapes and dtypes of the official ones."""

from __future__ import annotations

import pickle
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from phq.pose.body import HEAD, Body
from phq.pose.smpl_file import POINT_VERTICES
from phq.pose.smpl_kinds import KINDS, Kind

Arrays = dict[str, Any]
BODY_JOINTS, FINGERS, MIDDLE = 22, 15, 3
KIND = {kind.name: kind for kind in KINDS.values()}


def small(body: Body, keep: int = 300) -> Body:
    """The body with about `keep` of its vertices: those that the joints hang on, the named ones, and some more."""
    wanted = (body.J_regressor > 0).any(0)
    wanted[list(body.face_points.values())] = True
    wanted[:: len(wanted) // keep + 1] = True
    rows = np.flatnonzero(wanted)
    new = np.full(len(wanted), -1)
    new[rows] = np.arange(len(rows))
    faces = new[body.faces]
    return Body(
        name=body.name, sha256=body.sha256, parents=body.parents, faces=faces[(faces >= 0).all(1)],
        v_template=body.v_template[rows], shapedirs=body.shapedirs[rows], weights=body.weights[rows],
        J_regressor=body.J_regressor[:, rows], face_points={n: int(new[v]) for n, v in body.face_points.items()},
    )  # fmt: skip


def bending(body: Body, seed: int = 0) -> Body:
    """The body with pose blend shapes of millimetres."""
    posedirs = np.random.default_rng(seed).normal(size=(len(body.v_template), 3, 207)) * 0.003
    return replace(body, posedirs=posedirs)


def with_vertices(body: Body, count: int) -> Body:
    """The body with vertices added (copies of the first) up to `count`."""
    more = count - len(body.v_template)
    grown = {
        name: np.concatenate([getattr(body, name), np.repeat(getattr(body, name)[:1], more, axis=0)])
        for name in ("v_template", "shapedirs", "weights")
    }
    return replace(body, J_regressor=np.pad(body.J_regressor, ((0, 0), (0, more))), **grown)


def renumbered(body: Body, count: int) -> Body:
    """The body with `count` vertices, of which the face points are those of the official mesh of so many.

    Vertices that no joint hangs on are left out, lowest first (feet); others exchange numbers.
    """
    named, joined = POINT_VERTICES[count], (body.J_regressor > 0).any(0)
    joined[list(body.face_points.values())] = True
    spare = [int(v) for v in np.argsort(body.v_template[:, 1], kind="stable") if not joined[v]]
    rows = np.setdiff1d(np.arange(len(joined)), spare[: max(len(joined) - count, 0)])
    for name, number in named.items():
        old = int(np.flatnonzero(rows == body.face_points[name])[0])
        rows[[number, old]] = rows[[old, number]]
    new = np.full(len(joined), -1)
    new[rows] = np.arange(len(rows))
    faces = new[body.faces]
    posedirs = None if body.posedirs is None else body.posedirs[rows]
    return Body(
        name=body.name, sha256=body.sha256, parents=body.parents, faces=faces[(faces >= 0).all(1)],
        v_template=body.v_template[rows], shapedirs=body.shapedirs[rows], weights=body.weights[rows],
        J_regressor=body.J_regressor[:, rows], posedirs=posedirs, face_points={"head_top": 0} | named,
    )  # fmt: skip


def somebody_else(body: Body, seed: int = 0) -> Body:
    """The body with another mean (longer arms that hang a little, broader, deeper), and shape numbers that mean other
    things: mixtures of its own, of other sizes."""
    chance = np.random.default_rng(seed)
    lowered = np.zeros((24, 3))
    lowered[[16, 17], 2] = -0.1, 0.1
    mixing = np.linalg.qr(chance.normal(size=(10, 10)))[0] * chance.uniform(0.7, 1.4, 10)
    rest = body.forward(lowered, 0.5 * chance.normal(size=10))[0] * [1.03, 1.0, 1.02]
    return replace(body, v_template=rest, shapedirs=body.shapedirs @ mixing)


def smpl_arrays(body: Body, kind: Kind) -> Arrays:
    """The body as arrays of a SMPL, SMPL-H or SMPL-X model, moved off the origin as the official ones are.

    Hands and head of the 24 joints are cut up among the fingers, jaw and eyes: what belongs to one part is shared out
    at random, and the fingers' first joints share what the hand adds when it bends. Bends of joints that the 24 do
    not have are noise.
    """
    chance, carriers = np.random.default_rng(7), np.array(kind.carriers)
    shares = chance.random((len(body.v_template), len(carriers))) + 0.1
    total = np.stack([shares[:, carriers == j].sum(1) for j in range(24)], axis=1)
    regressor = body.J_regressor[carriers]
    posedirs = np.zeros((len(body.v_template), 3, 207)) if body.posedirs is None else body.posedirs
    return {
        "v_template": body.v_template + [0.003, -0.35, 0.012],
        "shapedirs": body.shapedirs,
        "posedirs": _posedirs(posedirs, kind, chance),
        "J_regressor": regressor,
        "J": regressor @ body.v_template,
        "weights": body.weights[:, carriers] * shares / total[:, carriers],
        "kintree_table": np.stack([_parents(body.parents, kind), np.arange(len(carriers))]),
        "f": body.faces.astype(np.uint32),
        "bs_style": "lbs",
        "bs_type": "lrotmin",
    }


def _posedirs(posedirs: NDArray[Any], kind: Kind, chance: np.random.Generator) -> NDArray[Any]:
    by_joint = posedirs.reshape(len(posedirs), 3, 23, 9)
    if kind.name == "smpl":
        return posedirs
    out = chance.normal(size=(len(posedirs), 3, len(kind.carriers) - 1, 9)) * 0.003 * posedirs.any()
    out[:, :, : BODY_JOINTS - 1] = by_joint[:, :, : BODY_JOINTS - 1]
    for hand in (0, 1):
        first = len(kind.carriers) - (2 - hand) * FINGERS - 1
        out[:, :, first : first + FINGERS : 3] = by_joint[:, :, [BODY_JOINTS - 1 + hand]] / 5
    return out.reshape(len(posedirs), 3, -1)


def _parents(parents: tuple[int, ...], kind: Kind) -> NDArray[np.int64]:
    """The root's parent is 2³² − 1 in the official files; a finger is a chain of three that begins at the wrist."""
    if kind.name == "smpl":
        return np.array([2**32 - 1, *parents[1:]])
    fingers = [[20 + hand if j % 3 == 0 else -1 for j in range(FINGERS)] for hand in (0, 1)]
    tree = [2**32 - 1, *parents[1:BODY_JOINTS], *[HEAD] * (len(kind.carriers) - BODY_JOINTS - 2 * FINGERS)]
    for hand in fingers:
        tree += [wrist if wrist >= 0 else len(tree) + j - 1 for j, wrist in enumerate(hand)]
    return np.array(tree)


class Ch:
    """Pickles as chumpy's array does, with its bookkeeping."""

    def __init__(self, x: NDArray[Any]) -> None:
        self.__dict__ |= {"x": x, "_dirty_vars": {"x"}, "_itr": None, "_depends_on_deps": {}, "_make_dense": False}


class Select:
    """Pickles as chumpy's selection from an array does."""

    def __init__(self, a: Ch, idxs: NDArray[Any], preferred_shape: tuple[int, ...]) -> None:
        self.__dict__ |= {"a": a, "idxs": idxs, "preferred_shape": preferred_shape, "_dirty_vars": set()}


OLD_NAMES = {
    "numpy._core.multiarray": "numpy.core.multiarray", "scipy.sparse._csc": "scipy.sparse.csc",
    "builtins": "__builtin__", "copyreg": "copy_reg",
}  # fmt: skip
CHUMPY = {Ch: ("chumpy.ch", "Ch"), Select: ("chumpy.reordering", "Select")}


class Python2Pickler(pickle._Pickler):
    """Writes what Python 2 with old packages wrote, as the official SMPL files are: 8-bit strings and old names."""

    dispatch: ClassVar[dict[type, Any]] = dict(pickle._Pickler.dispatch)

    def save_text(self, text: str | bytes) -> None:
        data = text if isinstance(text, bytes) else text.encode("latin1")
        line = pickle.STRING + repr(data)[1:].encode("ascii") + b"\n"
        self.write(pickle.BINSTRING + struct.pack("<i", len(data)) + data if self.bin else line)
        self.memoize(text)

    def save_global(self, thing: Any, name: str | None = None) -> None:
        module, called = CHUMPY.get(thing, (thing.__module__, name or thing.__name__))
        self.write(pickle.GLOBAL + f"{OLD_NAMES.get(module, module)}\n{called}\n".encode())
        self.memoize(thing)

    dispatch[str] = dispatch[bytes] = save_text
    dispatch[type(save_text)] = save_global


def write_npz(path: Path, arrays: Arrays) -> Path:
    """As SMPL-X and the SMPL-H of AMASS are distributed: dense arrays, joint numbers int64."""
    np.savez(path, **arrays)
    return path


def write_pickle(path: Path, arrays: Arrays) -> Path:
    """As smplx wants it: a pickle of plain arrays, the regressor sparse, joint numbers uint32."""
    path.write_bytes(pickle.dumps(arrays | _sparse(arrays)))
    return path


def write_python2_pickle(path: Path, arrays: Arrays, protocol: int) -> Path:
    """As SMPL is distributed: Python 2, shape space (of more than 10 numbers) and weights in chumpy's classes."""
    directions = np.concatenate([arrays["shapedirs"], np.ones_like(arrays["shapedirs"])], axis=-1)
    first = np.arange(directions.size).reshape(directions.shape)[..., :10]
    content = arrays | _sparse(arrays) | {
        "shapedirs": Select(Ch(directions), first.ravel(), first.shape), "weights": Ch(arrays["weights"]),
        "pose_training_info": {"gender": "neutral", "count": np.int64(1786)},
    }  # fmt: skip
    with path.open("wb") as file:
        Python2Pickler(file, protocol=protocol).dump(content)
    return path


def _sparse(arrays: Arrays) -> Arrays:
    regressor = scipy.sparse.csc_matrix(arrays["J_regressor"])
    return {"J_regressor": regressor, "kintree_table": arrays["kintree_table"].astype(np.uint32)}


class Hostile:
    """Pickles as a call."""

    def __init__(self, call: Callable[..., Any], *arguments: Any) -> None:
        self.call, self.arguments = call, arguments

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return self.call, self.arguments
