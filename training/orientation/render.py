"""Rendered people who are harder than the bench: several views, hats, hoods, long hair, loads, leaning, company.

    python render.py RENDERER --out DIR --seed S [--start I] [--people N] [--views 4] [--size 256] [--samples 2]
                     [--swimmers SHARE]

RENDERER is the folder of `render_people.py` and `people.py`; this needs their environment (bpy, anny). Person i of
seed S is always the same; view k of it is picture NNNNN = i · views + k, with the same json and mask as
`render_people.py`
writes. A picture that is there already is left alone, so the command can be stopped and run again.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import render_dress as dress
from PIL import Image

CLOSE, HALF = 0.62, 0.93
"""Shares of headshots, and of headshots and half bodies."""


def make_person(maker: Any, people: Any, rng: np.random.Generator, swimmers: float = 0.0) -> dict[str, Any]:
    """A built person with accessories."""
    plain = maker.sample_pose

    def posed(rng: np.random.Generator, heads: np.ndarray) -> Any:
        rots, info = plain(rng, heads)
        dress.wilder_pose(maker, rots, heads, rng, people.axang, people.align)
        return rots, info

    maker.sample_pose = posed
    try:
        person: dict[str, Any] = maker.build(dress.spec_of(maker, rng), rng)
    finally:
        maker.sample_pose = plain
    dress.accessories(rng, maker, person, swimmers)
    return person


def company(person: dict[str, Any], other: dict[str, Any], right: np.ndarray, ahead: np.ndarray, rng: Any) -> None:
    """Moves `other` beside, behind or before the person, as the camera sees it."""
    yaw = math.radians(rng.uniform(-180, 180))
    turn = np.array([[math.cos(yaw), -math.sin(yaw), 0], [math.sin(yaw), math.cos(yaw), 0], [0, 0, 1]])
    flat = np.array([1, 1, 0])
    deep = rng.uniform(0.3, 1.5) if rng.random() < 0.8 else rng.uniform(-0.5, -0.3)
    aside = rng.choice([-1, 1]) * rng.uniform(0.25 if deep > 0 else 0.4, 0.75)
    shift = (right * flat) * aside + (ahead * flat) * deep + person["J"][0] * flat
    pivot = other["J"][0] * flat

    def moved(points: np.ndarray) -> np.ndarray:
        return (points - pivot) @ turn.T + shift

    for piece in [*other["parts"], *other["extras"]]:
        piece["v"] = moved(piece["v"])
    other["J"] = moved(other["J"])
    other["face"] = {name: moved(p) for name, p in other["face"].items()}
    for name in ("R_head", "R_chest", "R_pelvis"):
        other[name] = turn @ other[name]


def camera_of(person: dict[str, Any], number: int, rng: Any, rp: Any, size: int) -> dict[str, Any]:
    """Where view `number` is taken from."""
    azimuth = math.radians(((number * 0.6180339887 + 0.13) % 1) * 360 - 180)
    pitch = math.radians(np.clip(rng.normal(5, 14), -30, 48))
    kind, fov = rng.random(), math.radians(rng.uniform(18, 50))
    crown, chest = person["face"]["crown"], person["J"][dress.CHEST]
    if kind < CLOSE:
        framing, high, target = "headshot", rng.uniform(0.42, 0.8), 0.55 * crown + 0.45 * chest
    elif kind < HALF:
        framing, high, target = "half", rng.uniform(0.8, 1.3), 0.25 * crown + 0.55 * chest + 0.2 * person["J"][0]
    else:
        framing, high, target = "full", crown[2] * rng.uniform(1.08, 1.4), 0.5 * (crown + person["J"][0])
        target = np.array([*target[:2], crown[2] / 2])
    look = -np.array([math.sin(azimuth) * math.cos(pitch), -math.cos(azimuth) * math.cos(pitch), math.sin(pitch)])
    turn = rp.look_R(look)
    target = target + (turn[0] * rng.uniform(-0.15, 0.15) + turn[1] * rng.uniform(-0.08, 0.1)) * high
    position = target - look * (0.5 * high / math.tan(fov / 2) + 0.08)
    focal = 0.5 * size / math.tan(fov / 2)
    K = np.array([[focal, 0, size / 2], [0, focal, size / 2], [0, 0, 1]])
    return {"R": turn, "C": position, "K": K, "fov": fov, "look": look, "azimuth": azimuth, "pitch": pitch,
            "target": target, "framing": framing}  # fmt: skip


class Studio:
    """Blender's scene."""

    def __init__(self, renderer: Path, size: int, samples: int) -> None:
        sys.path.insert(0, str(renderer))
        import bpy
        import people
        import render_people

        self.bpy, self.people, self.rp, self.size = bpy, people, render_people, size
        self.maker = people.Maker()
        self.scene, self.env, self.mapping, self.output = render_people.scene_setup(size, samples)
        self.scene.world.cycles.sampling_method, self.scene.world.cycles.sample_map_resolution = "MANUAL", 256
        self.folder = tempfile.mkdtemp()
        self.output.base_path, self.output.file_slots[0].path = self.folder, "idx_"

    def plain_material(self, piece: dict[str, Any], rng: Any) -> Any:
        """Colour with streaks."""
        material = self.bpy.data.materials.new("extra")
        material.use_nodes = True
        nodes, links = material.node_tree.nodes, material.node_tree.links
        shader = nodes["Principled BSDF"]
        noise, mix = nodes.new("ShaderNodeTexNoise"), nodes.new("ShaderNodeMix")
        mix.data_type = "RGBA"
        coordinates, scale = nodes.new("ShaderNodeTexCoord"), nodes.new("ShaderNodeMapping")
        grain = piece["grain"]
        scale.inputs["Scale"].default_value = (grain, grain, grain / 20) if grain else (8, 8, 8)
        links.new(coordinates.outputs["Generated"], scale.inputs[0])
        links.new(scale.outputs[0], noise.inputs["Vector"])
        links.new(noise.outputs[0], mix.inputs[0])
        colour = np.array(piece["colour"])
        mix.inputs[6].default_value = (*(colour * 0.4), 1)
        mix.inputs[7].default_value = (*np.clip(colour * 1.7, 0, 1), 1)
        links.new(mix.outputs[2], shader.inputs["Base Color"])
        shader.inputs["Roughness"].default_value = float(rng.uniform(0.35, 0.9))
        return material

    def place(self, person: dict[str, Any], index: int, rng: Any) -> None:
        """All parts of a person into the scene."""
        for piece in person["parts"]:
            mesh = self.rp.mesh(piece["role"], piece["v"], piece["f"], piece["ft"], piece["vt"])
            self.link(mesh, self.rp.material(piece["role"], piece, person["spec"], rng, 0.0), index)
        for piece in person["extras"]:
            mesh = self.bpy.data.meshes.new("extra")
            faces = [list(dict.fromkeys(map(int, quad))) for quad in piece["f"]]
            mesh.from_pydata(piece["v"].tolist(), [], faces)
            mesh.polygons.foreach_set("use_smooth", np.ones(len(mesh.polygons), bool))
            self.link(mesh, self.plain_material(piece, rng), index)

    def link(self, mesh: Any, material: Any, index: int) -> None:
        """One object."""
        thing = self.bpy.data.objects.new("part", mesh)
        thing.data.materials.append(material)
        thing.pass_index = index
        self.scene.collection.objects.link(thing)

    def light(self, camera: dict[str, Any], rng: Any) -> tuple[str, float]:
        """Environment from night to noon, and up to two lamps: soft or hard, from the front or behind."""
        from mathutils import Vector

        picture, spin = str(rng.choice(self.rp.HDRIS)), float(rng.uniform(0, 2 * math.pi))
        path = f"{self.rp.BG}/{picture}"
        self.env.image = self.rp.timg(path)
        self.mapping.inputs["Rotation"].default_value = (0, 0, spin)
        wanted = rng.uniform(0.04, 0.2) if rng.random() < 0.2 else rng.uniform(0.35, 0.9)
        strength = float(np.clip(wanted / max(float(self.rp.hdri_px(path).mean()), 0.03), 0.03, 5))
        self.scene.world.node_tree.nodes["Background"].inputs[1].default_value = strength
        for _ in range(int(rng.integers(0, 3))):
            lamp, hard = self.bpy.data.lights.new("l", "AREA"), rng.random() < 0.4
            lamp.size = float(rng.uniform(0.05, 0.2) if hard else rng.uniform(0.4, 2))
            lamp.energy, lamp.color = float(rng.uniform(6, 45)), tuple(rng.uniform(0.75, 1, 3))
            side = camera["azimuth"] + (rng.uniform(2, 4.3) if rng.random() < 0.3 else rng.uniform(-1.5, 1.5))
            at = [math.sin(side) * 2.2, -math.cos(side) * 2.2, camera["target"][2] + rng.uniform(-0.2, 1.8)]
            thing = self.bpy.data.objects.new("l", lamp)
            thing.location = at
            thing.rotation_euler = (Vector(camera["target"]) - Vector(at)).to_track_quat("-Z", "Y").to_euler()
            self.scene.collection.objects.link(thing)
        return picture, spin

    def shoot(self, camera: dict[str, Any], rng: Any) -> tuple[np.ndarray, np.ndarray]:
        """RGBA (S, S, 4) and object numbers (S, S)."""
        from mathutils import Matrix

        data = self.bpy.data.cameras.new("c")
        data.sensor_fit, data.angle, data.clip_start = "VERTICAL", camera["fov"], 0.02
        thing = self.bpy.data.objects.new("c", data)
        pose = np.eye(4)
        pose[:3, :3], pose[:3, 3] = camera["R"].T * [1, -1, -1], camera["C"]
        thing.matrix_world = Matrix(pose.tolist())
        self.scene.collection.objects.link(thing)
        self.scene.camera = thing
        self.scene.view_settings.view_transform = str(rng.choice(["Filmic", "AgX", "Standard"]))
        self.scene.view_settings.exposure = float(rng.uniform(-0.3, 0.9))
        self.scene.frame_set(1)
        self.scene.render.filepath = f"{self.folder}/img.png"
        self.bpy.ops.render.render(write_still=True)
        rgba = np.asarray(Image.open(f"{self.folder}/img.png").convert("RGBA")).astype(float) / 255
        numbers = self.bpy.data.images.load(f"{self.folder}/idx_0001.exr")
        flat = np.empty(self.size * self.size * 4, np.float32)
        numbers.pixels.foreach_get(flat)
        self.bpy.data.images.remove(numbers)
        return rgba, np.rint(flat.reshape(self.size, self.size, 4)[::-1, :, 0]).astype(np.uint8)

    def views(self, out: Path, seed: int, number: int, views: int, swimmers: float) -> None:
        """Every picture of one person that is not there yet."""
        wanted = [k for k in range(views) if not (out / f"{number * views + k:05d}.json").exists()]
        if not wanted:
            return
        rng = np.random.default_rng([seed, number])
        person = make_person(self.maker, self.people, rng, swimmers)
        other = make_person(self.maker, self.people, rng) if rng.random() < 0.3 else None
        for k in wanted:
            i = number * views + k
            self.view(out, seed, i, person, other, np.random.default_rng([seed, number, k]))

    def view(self, out: Path, seed: int, i: int, person: Any, other: Any, rng: Any) -> None:
        """One picture."""
        self.rp.clear_objs()
        camera = camera_of(person, i, rng, self.rp, self.size)
        self.place(person, 1, rng)
        if other is not None:
            company(person, other, camera["R"][0], camera["look"], rng)
            self.place(other, 2, rng)
        hdri, spin = self.light(camera, rng)
        rgba, index = self.shoot(camera, rng)
        kind = str(rng.choice(["hdri", "gradient", "solid"], p=[0.7, 0.15, 0.15]))
        behind = self.rp.background(rng, kind, self.size, camera["R"], camera["fov"], hdri, spin)
        behind = behind * (rng.uniform(0.1, 0.5) if rng.random() < 0.15 else 1)
        picture = rgba[..., :3] * rgba[..., 3:] + behind * (1 - rgba[..., 3:])
        self.write(out, seed, i, camera, [person] + ([other] if other is not None else []), picture, index)

    def write(self, out: Path, seed: int, i: int, camera: Any, cast: list[Any], picture: Any, index: Any) -> None:
        """jpg, mask and json."""
        name, records = f"{i:05d}", []
        Image.fromarray((np.clip(picture, 0, 1) * 255 + 0.5).astype(np.uint8)).save(out / f"{name}.jpg", quality=93)
        Image.fromarray(index * 127).save(out / "masks" / f"{name}.png", optimize=True)
        for k, who in enumerate(cast):
            record = self.rp.describe(who, camera["C"], camera["R"], camera["K"], self.size)
            ys, xs = np.nonzero(index == k + 1)
            box = [int(xs.min()), int(ys.min()), int(xs.max()) + 1, int(ys.max()) + 1] if len(xs) else None
            records.append(record | {"bbox_visible_xyxy": box, "mask_pixels": len(xs), "mask_value": 127 * (k + 1),
                                     "main": k == 0})  # fmt: skip
        truth = {"image": f"{name}.jpg", "mask": f"masks/{name}.png", "size": [self.size] * 2, "people": records,
                 "framing": camera["framing"], "seed": [seed, i]}  # fmt: skip
        text = json.dumps(truth, default=float)
        half = out / f"{name}.json.part"
        half.write_text(text)
        half.replace(out / f"{name}.json")


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("renderer", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--start", type=int, default=0)
    parser.add_argument("--people", type=int, default=1000)
    parser.add_argument("--views", type=int, default=4)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--samples", type=int, default=2)
    parser.add_argument("--swimmers", type=float, default=0.0, help="share of people with little on and a swimming cap")
    options = parser.parse_args()
    (options.out / "masks").mkdir(parents=True, exist_ok=True)
    studio = Studio(options.renderer.resolve(), options.size, options.samples)
    for number in range(options.start, options.start + options.people):
        studio.views(options.out, options.seed, number, options.views, options.swimmers)
        print("person", number, flush=True)


if __name__ == "__main__":
    main()
