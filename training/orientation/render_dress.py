"""What people wear and how they stand, for `render.py`: plain numpy, no Blender.

A part is a dict of v (V, 3) world metres, f (F, 4) vertex numbers, colour (3,) linear RGB, grain (of its streaks).
World and part axes are the renderer's: x the subject's left, y back, z up.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

Rng = np.random.Generator
Part = dict[str, Any]
Person = dict[str, Any]
HEAD, NECK, CHEST = 15, 12, 9
"""SMPL's joints."""
HAIR = (
    (0.02, 0.017, 0.015),
    (0.05, 0.03, 0.02),
    (0.13, 0.085, 0.06),
    (0.3, 0.19, 0.12),
    (0.8, 0.6, 0.35),
    (0.5, 0.5, 0.5),
)
HAIR_SHARE = (0.35, 0.22, 0.15, 0.13, 0.1, 0.05)


def sheet(rows: np.ndarray, closed: bool = False, keep: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Vertices and quads of a grid (R, C, 3); `closed` joins last and first column, `keep` (R−1, C') drops quads."""
    r, c = rows.shape[:2]
    j = np.arange(c if closed else c - 1)
    i = np.arange(r - 1)[:, None]
    k = (j + 1) % c
    quads = np.stack([i * c + j, i * c + k, (i + 1) * c + k, (i + 1) * c + j], -1)
    return rows.reshape(-1, 3), quads[keep] if keep is not None else quads.reshape(-1, 4)


def part(rows: np.ndarray, colour: Any, grain: float = 0.0, **how: Any) -> Part:
    """A part from a grid."""
    v, f = sheet(rows, **how)
    return {"v": v, "f": f, "colour": tuple(float(x) for x in colour), "grain": grain}


def cloth_colour(rng: Rng) -> np.ndarray:
    """Often dark."""
    return rng.uniform(0.005, 0.06) * rng.uniform(0.6, 1.4, 3) if rng.random() < 0.5 else rng.uniform(0.02, 0.7, 3)


class Skull:
    """Head axes and sizes of a posed person."""

    def __init__(self, person: Person) -> None:
        face = person["face"]
        self.turn, ears = person["R_head"], (face["left_ear"] + face["right_ear"]) / 2
        local = {k: self.turn.T @ (p - ears) for k, p in face.items()}
        self.half, self.high, self.nose = local["left_ear"][0], local["crown"][2], -local["nose"][1]
        self.eyes = [local["left_eye"], local["right_eye"]]
        self.origin = ears

    def world(self, local: np.ndarray) -> np.ndarray:
        """(…, 3) from the middle of the ears, head axes, to the world."""
        return local @ self.turn.T + self.origin

    def shell(self, thick: float, lowest: float, rows: int = 12, columns: int = 36) -> tuple[np.ndarray, ...]:
        """Grid of an ellipsoid round the skull from the crown down to an angle, and its polar and azimuth angles;
        azimuth 0 is the front."""
        theta = np.radians(np.linspace(2, lowest, rows))[:, None]
        phi = np.linspace(-np.pi, np.pi, columns, endpoint=False)[None]
        size = np.array([self.half + thick, self.half * 1.32 + thick, self.high + thick])
        unit = np.stack([np.sin(theta) * np.sin(phi), -np.sin(theta) * np.cos(phi), np.cos(theta) + 0 * phi], -1)
        return unit * size + [0, 0.015, 0], theta + 0 * phi, phi + 0 * theta


def faces_kept(kept: np.ndarray) -> np.ndarray:
    """(R−1, C) quads all of whose corners are kept, of a closed grid (R, C)."""
    near = kept & np.roll(kept, -1, 1)
    return near[:-1] & near[1:]


def long_hair(rng: Rng, person: Person) -> list[Part]:
    """A scalp that falls over neck and shoulders, sometimes over the face."""
    skull = Skull(person)
    colour = np.array(HAIR[rng.choice(len(HAIR), p=HAIR_SHARE)]) * rng.uniform(0.7, 1.3)
    grid, theta, phi = skull.shell(rng.uniform(0.012, 0.03), 100, rows=10, columns=48)
    length, steps = rng.uniform(0.1, 0.5), 12
    flare, wave, phase = rng.uniform(0.05, 0.5), rng.uniform(0, 0.012), rng.uniform(0, 6)
    world = skull.world(grid)
    down = np.linspace(0, 1, steps)[1:, None, None] * length
    last = world[-1]
    centre = last.mean(0)
    out = (last - centre) * [1, 1, 0]
    wider = 1 + flare * down * np.clip(1 + 0.5 * np.cos(phi[-1])[None, :, None], 0, 2)
    fall = centre + (last - centre) * [0, 0, 1] + out * wider - down * [0, 0, 1]
    fall += wave * np.sin(phi[-1] * 9 + phase)[None, :, None] * out / 0.1 * np.minimum(down / 0.1, 1)
    rows = np.concatenate([world, fall])
    gap = np.radians(rng.uniform(15, 40) if rng.random() < 0.12 else rng.uniform(48, 85))
    parting, front = np.radians(rng.uniform(25, 50)), np.abs(np.concatenate([phi, np.tile(phi[-1], (steps - 1, 1))]))
    depth = np.concatenate([theta, np.full((steps - 1, 48), 9.0)])
    return [part(rows, colour, 60, closed=True, keep=faces_kept((front > gap) | (depth < parting)))]


def cap(rng: Rng, person: Person) -> list[Part]:
    """Cap with a visor, forwards or backwards, or a woollen hat without."""
    skull, colour = Skull(person), cloth_colour(rng)
    grid, _, _ = skull.shell(rng.uniform(0.012, 0.03), rng.uniform(72, 95))
    parts = [part(skull.world(grid), colour, closed=True)]
    if rng.random() < 0.65:
        way = 1.0 if rng.random() < 0.8 else -1.0
        a = np.radians(np.linspace(-65, 65, 13))
        rim = np.stack([np.sin(a) * (skull.half + 0.01), -np.cos(a) * (skull.half * 1.32 + 0.01), 0 * a], -1)
        edge = rim + np.stack([0 * a, -np.cos(a) * rng.uniform(0.05, 0.09), 0 * a - 0.015], -1)
        rows = np.stack([rim, edge]) * [1, way, 1] + [0, 0.015, skull.high * rng.uniform(0.3, 0.5)]
        parts.append(part(skull.world(rows), colour))
    return parts


def swimming_cap(rng: Rng, maker: Any, person: Person) -> None:
    """A tight cap of one colour in place of the hair: the scalp itself, some millimetres out."""
    skull = Skull(person)
    person["parts"] = [p for p in person["parts"] if p["role"] not in ("hair", "hat")]
    local = (person["parts"][0]["v"] - skull.origin) @ skull.turn
    edge = rng.uniform(0.0, 0.03) - rng.uniform(0.3, 0.6) * local[:, 1]
    on = ((local[:, 2] > edge) & (np.linalg.norm(local, axis=1) < 0.25))[maker.f].all(1)
    cloth = local + rng.uniform(0.004, 0.009) * local / np.linalg.norm(local, axis=1, keepdims=True)
    person["extras"].append(painted(maker, skull.world(cloth), on, rng.uniform(0.01, 0.9, 3)))


def helmet(rng: Rng, person: Person) -> list[Part]:
    """Hard hat or cyclist's helmet; some cover the neck."""
    skull, colour = Skull(person), rng.uniform(0.02, 0.8, 3)
    grid, theta, phi = skull.shell(rng.uniform(0.03, 0.05), rng.choice([80.0, 120.0]))
    open_front = (np.abs(phi) < np.radians(70)) & (theta > np.radians(72))
    return [part(skull.world(grid), colour, closed=True, keep=faces_kept(~open_front))]


def hood(rng: Rng, person: Person) -> list[Part]:
    """Hood of a jacket, down to the shoulders."""
    skull, colour = Skull(person), cloth_colour(rng)
    grid, theta, phi = skull.shell(rng.uniform(0.025, 0.05), 125)
    neck = person["J"][NECK] + person["R_chest"] @ [0, 0.02, -0.02]
    a = phi[-1]
    ring = np.stack([np.sin(a) * 0.16, -np.cos(a) * 0.12, 0 * a], -1) @ person["R_chest"].T + neck
    rows = np.concatenate([skull.world(grid), ring[None]])
    opening = np.radians(rng.uniform(38, 65))
    shown = ~((np.abs(phi) < opening) & (theta > np.radians(rng.uniform(35, 60))))
    return [part(rows, colour, closed=True, keep=faces_kept(np.concatenate([shown, shown[-1:]])))]


def glasses(rng: Rng, person: Person) -> list[Part]:
    """Two rims and temples; some with dark glass."""
    skull, parts, dark = Skull(person), [], rng.random() < 0.4
    radius, colour = rng.uniform(0.02, 0.03), rng.uniform(0, 0.1, 3)
    a = np.linspace(0, 2 * np.pi, 20, endpoint=False)
    for eye, side in zip(skull.eyes, (1, -1), strict=True):
        ring = np.stack([np.cos(a), 0 * a, np.sin(a) * 0.85], -1)
        rims = np.stack([ring * r * radius for r in ((0.0 if dark else 0.86), 1.0)]) + eye + [0, -0.028, 0]
        parts.append(part(skull.world(rims), colour, closed=True))
        from_, to = eye + [side * radius, -0.026, 0.003], np.array([side * skull.half, 0.01, 0.01])
        rows = np.stack([[from_, to], [from_ - [0, 0, 0.005], to - [0, 0, 0.005]]])
        parts.append(part(skull.world(rows), colour))
    return parts


def backpack(rng: Rng, person: Person) -> list[Part]:
    """Sack and two straps."""
    turn, chest, colour = person["R_chest"], person["J"][CHEST], cloth_colour(rng)
    wide, deep, high = rng.uniform(0.12, 0.18), rng.uniform(0.06, 0.12), rng.uniform(0.16, 0.26)
    z, a = np.linspace(-1, 1, 9), np.linspace(0, 2 * np.pi, 24, endpoint=False)
    square = np.clip(np.stack([np.cos(a), np.sin(a)], -1) * 1.3, -1, 1)
    full = (1 - np.abs(z) ** 6 * 0.9)[:, None, None]
    rows = np.concatenate([square[None] * full * [wide, deep], np.tile(z[:, None, None] * high, (1, 24, 1))], -1)
    rows = rows + [0, 0.1 + deep, rng.uniform(0, 0.1)]
    parts = [part(rows @ turn.T + chest, colour, closed=True)]
    for side in (1, -1):
        way = np.array(
            [[0.08, 0.12, 0.15], [0.09, 0.02, 0.22], [0.1, -0.06, 0.18], [0.11, -0.115, 0.08], [0.13, -0.1, -0.06]]
        )
        rows = np.stack([way + [-0.022, 0, 0], way + [0.022, 0, 0]], 1) * [side, 1, 1]
        parts.append(part(rows @ turn.T + chest, colour))
    return parts


def ponytail(rng: Rng, person: Person) -> list[Part]:
    """A tail at the back of the head."""
    skull, colour = Skull(person), np.array(HAIR[rng.choice(len(HAIR), p=HAIR_SHARE)])
    cap_of_hair, theta, phi = skull.shell(0.012, 105)
    face = (np.abs(phi) < np.radians(72)) & (theta > np.radians(38))
    t, a = np.linspace(0, 1, 10)[:, None], np.linspace(0, 2 * np.pi, 12, endpoint=False)[None]
    thick = rng.uniform(0.02, 0.035) * np.sin(np.pi * np.clip(t * 0.9 + 0.12, 0, 1))
    length, root = rng.uniform(0.12, 0.35), skull.world(np.array([0, skull.half * 1.32 + 0.02, rng.uniform(0, 0.08)]))
    back = skull.turn @ [0, 1, 0]
    spine = root + back * 0.05 * np.sin(np.pi * t * 0.7) - np.array([0, 0, 1]) * length * t**1.3
    rows = spine[:, None] + np.stack([thick * np.cos(a), thick * np.sin(a), 0 * thick * a], -1)
    return [
        part(skull.world(cap_of_hair), colour, 60, closed=True, keep=faces_kept(~face)),
        part(rows, colour, 60, closed=True),
    ]


def painted(maker: Any, v: np.ndarray, on: np.ndarray, colour: Any) -> Part:
    """Faces of the body's mesh as a piece of clothing."""
    f = maker.f[on].copy()
    f[f[:, 3] < 0, 3] = f[f[:, 3] < 0, 2]
    return {"v": v, "f": f, "colour": tuple(float(x) for x in colour), "grain": 0.0}


def bare(rng: Rng, maker: Any, person: Person) -> None:
    """Takes the clothes off but for a painted top with a neckline and straps; of some men that too."""
    body = person["parts"][0]
    arms = [
        i for name, i in maker.bi.items() if name.startswith(("upperarm", "lowerarm", "wrist", "finger", "metacarpal"))
    ]
    on_arm = maker.W[: len(body["v"]), arms].sum(1) > 0.4
    local = (body["v"] - person["J"][NECK]) @ person["R_chest"]
    topless = person["spec"]["male"] and rng.random() < 0.5
    low = -0.55 if topless else -rng.uniform(0.04, 0.15)
    line = low + rng.uniform(0, 0.6) * np.abs(local[:, 0])
    strap = (np.abs(np.abs(local[:, 0]) - 0.085) < rng.uniform(0.01, 0.03)) & (local[:, 2] < 0.03) & (low > -0.5)
    dressed = ((local[:, 2] < line) | strap) & ~on_arm
    on = dressed[maker.f].all(1)
    person["parts"] = [p for p in person["parts"] if p["role"] != "clothes"]
    person["parts"][0] = dict(body, f=maker.f[~on], ft=maker.ft[~on])
    person["extras"].append(painted(maker, body["v"], on, cloth_colour(rng)))


def accessories(rng: Rng, maker: Any, person: Person, swimmers: float = 0.0) -> None:
    """Draws what a person wears besides the renderer's own wardrobe; a share are swimmers with little on and a cap."""
    person["extras"] = []
    if swimmers and rng.random() < swimmers:
        bare(rng, maker, person)
        if rng.random() < 0.6:
            swimming_cap(rng, maker, person)
        return
    if rng.random() < 0.2:
        bare(rng, maker, person)
    hair = rng.random()
    if hair < 0.3:
        person["extras"] += long_hair(rng, person)
    elif hair < 0.37:
        person["extras"] += ponytail(rng, person)
    hat = rng.random()
    if hat < 0.24 and person["spec"]["hat"] is None:
        person["extras"] += (cap, cap, hood, hood, helmet)[int(hat / 0.048)](rng, person)
    if rng.random() < 0.25:
        person["extras"] += glasses(rng, person)
    if rng.random() < 0.15:
        person["extras"] += backpack(rng, person)


def spec_of(maker: Any, rng: Rng) -> dict[str, Any]:
    """The renderer's own wardrobe with more long hair and dark clothes."""
    spec: dict[str, Any] = maker.sample(rng, hq_skin=bool(rng.random() < 0.5))
    if rng.random() < 0.35:
        spec["hair"] = str(rng.choice(["long01", "bob01", "bob02", "braid01", "ponytail01"]))
    if rng.random() < 0.3:
        spec["val"], spec["sat"] = float(rng.uniform(0.08, 0.5)), float(rng.uniform(0.2, 1))
    return spec


def wilder_pose(maker: Any, rots: dict[str, np.ndarray], heads: np.ndarray, rng: Rng, axang: Any, align: Any) -> None:
    """Now and then leaning by up to 45°, the head turned farther, arms raised or in front of the face."""
    if rng.random() < 0.25:
        angle, axis = math.radians(rng.uniform(10, 45)), rng.uniform(0, 2 * math.pi)
        lean = axang([math.cos(axis), math.sin(axis), 0], angle / 5)
        for bone in ("spine05", "spine04", "spine03", "spine02", "spine01"):
            rots[bone] = lean @ rots[bone]
    if rng.random() < 0.3:
        turn = axang([0, 0, 1], math.radians(rng.uniform(-35, 35)) / 2)
        for bone in ("neck02", "head"):
            rots[bone] = turn @ rots[bone]
    at = {name: heads[i] for name, i in maker.bi.items()}
    for side, sign in (("L", 1), ("R", -1)):
        if rng.random() < 0.15:
            way = np.array([sign * rng.uniform(0.1, 1), rng.uniform(-1, 0.3), rng.uniform(-0.2, 1)])
            then = np.array([-sign * rng.uniform(-0.5, 1), rng.uniform(-0.6, 0.2), rng.uniform(0, 1)])
            shoulder, elbow, wrist = (at[f"{b}.{side}"] for b in ("upperarm01", "lowerarm01", "wrist"))
            rots[f"upperarm01.{side}"] = upper = align(elbow - shoulder, way)
            rots[f"lowerarm01.{side}"] = align(wrist - elbow, upper.T @ then)
