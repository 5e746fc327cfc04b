"""Fewer triangles by quadric half-edge collapse, on one half of a symmetric mesh; used by `derive_body`.

Only collapses onto existing vertices are made, so what stays is a subset of the vertices with their own skinning
weights and shape directions. Cost: Garland and Heckbert, "Surface simplification using quadric error metrics",
1997.
"""

from __future__ import annotations

import heapq

import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]


def triangulate(quads: Ints, vertices: Doubles) -> Ints:
    """Triangles (2F, 3) of quadrilaterals (F, 4), each cut along its shorter diagonal."""
    a, b, c, d = (vertices[quads[:, i]] for i in range(4))
    ac = (np.linalg.norm(c - a, axis=1) <= np.linalg.norm(d - b, axis=1))[:, None]
    first = np.where(ac, quads[:, [0, 1, 2]], quads[:, [0, 1, 3]])
    second = np.where(ac, quads[:, [0, 2, 3]], quads[:, [1, 2, 3]])
    return np.concatenate([first, second])


def mirror_triangles(half: Ints, mirrored: Ints) -> Ints:
    """Both halves of the mesh; the mirror image is wound the other way round so that it faces outward."""
    return np.concatenate([half, mirrored[half][:, ::-1]])


class HalfMesh:
    """A half mesh that is being reduced: its triangles, who touches whom, and the error quadrics."""

    def __init__(self, vertices: Doubles, triangles: Ints, seam: Flags) -> None:
        self.vertices, self.seam = vertices, seam
        self.faces: dict[int, list[int]] = {i: [int(v) for v in t] for i, t in enumerate(triangles)}
        self.around: dict[int, set[int]] = {int(v): set() for v in np.unique(triangles)}
        for i, corners in self.faces.items():
            for v in corners:
                self.around[v].add(i)
        self.quadrics = _quadrics(vertices, triangles, seam)
        self.version = np.zeros(len(vertices), dtype=np.int64)

    def neighbours(self, v: int) -> set[int]:
        """Vertices that share an edge with v."""
        return {u for i in self.around[v] for u in self.faces[i]} - {v}

    def cost(self, v: int, u: int) -> float:
        """Squared distance, summed over area, that moving v to u costs; a little for length against slivers."""
        p = np.append(self.vertices[u], 1.0)
        length = np.sum((self.vertices[u] - self.vertices[v]) ** 2)
        return float(p @ (self.quadrics[v] + self.quadrics[u]) @ p + 1e-3 * length**2)

    def may_collapse(self, v: int, u: int) -> bool:
        """The result is still a surface, stays on the seam, and turns no triangle over."""
        shared = self.around[v] & self.around[u]
        on_border = len(shared) == 1
        if (self.seam[v] and not (self.seam[u] and on_border)) or len(shared) not in (1, 2):
            return False
        if len(self.neighbours(v) & self.neighbours(u)) != len(shared):
            return False
        return all(self._keeps_its_side(i, v, u) for i in self.around[v] - shared)

    def _keeps_its_side(self, face: int, v: int, u: int) -> bool:
        corners = self.faces[face]
        before = _normal(self.vertices[corners])
        after = _normal(self.vertices[[u if w == v else w for w in corners]])
        size = np.linalg.norm(before) * np.linalg.norm(after)
        return bool(before @ after > 0.3 * size)

    def collapse(self, v: int, u: int) -> None:
        """Move v onto u."""
        for i in self.around[v] & self.around[u]:
            for w in self.faces.pop(i):
                self.around[w].discard(i)
        for i in self.around.pop(v):
            self.faces[i] = [u if w == v else w for w in self.faces[i]]
            self.around[u].add(i)
        self.quadrics[u] += self.quadrics[v]
        self.version[u] += 1


def reduce_half(vertices: Doubles, triangles: Ints, seam: Flags, frozen: Flags, keep: int) -> Ints:
    """Triangles of the half mesh with at most `keep` of its vertices left, cheapest collapses first.

    Args:
        vertices: (V, 3).
        triangles: (F, 3) of the half.
        seam: (V,) vertices on the mirror plane; they move only along it.
        frozen: (V,) vertices that stay.
        keep: number of vertices wanted; more stay when nothing else may collapse.
    """
    mesh = HalfMesh(vertices, triangles, seam)
    heap: list[tuple[float, int, int, int, int]] = []

    def push(v: int) -> None:
        if not frozen[v]:
            for u in sorted(mesh.neighbours(v)):
                heapq.heappush(heap, (mesh.cost(v, u), v, u, int(mesh.version[v]), int(mesh.version[u])))

    for v in sorted(mesh.around):
        push(v)
    while heap and len(mesh.around) > keep:
        _, v, u, version_v, version_u = heapq.heappop(heap)
        current = v in mesh.around and u in mesh.around
        if not current or mesh.version[v] != version_v or mesh.version[u] != version_u or not mesh.may_collapse(v, u):
            continue
        mesh.collapse(v, u)
        for w in sorted({u} | mesh.neighbours(u)):
            push(w)
    return np.array([mesh.faces[i] for i in sorted(mesh.faces)], dtype=np.int64)


def _normal(corners: Doubles) -> Doubles:
    return np.asarray(np.cross(corners[1] - corners[0], corners[2] - corners[0]))


def _quadrics(vertices: Doubles, triangles: Ints, seam: Flags) -> Doubles:
    """Quadric (V, 4, 4) of each vertex: planes of its triangles by area, and walls along the seam."""
    quadrics = np.zeros((len(vertices), 4, 4))
    for corners in triangles:
        normal = _normal(vertices[corners])
        area = np.linalg.norm(normal) / 2
        if area == 0:
            continue
        plane = np.append(normal, -normal @ vertices[corners[0]]) / (2 * area)
        quadrics[corners] += area * np.outer(plane, plane)
        for a, b in zip(corners, np.roll(corners, -1), strict=True):
            if seam[a] and seam[b]:
                edge = vertices[b] - vertices[a]
                wall = np.cross(edge, normal / (2 * area))
                wall = np.append(wall, -wall @ vertices[a])
                quadrics[[a, b]] += np.outer(wall, wall)
    return quadrics
