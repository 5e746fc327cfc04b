"""`write_mesh`: a person as GLB or PLY with vertex colours, or as a volume. What ``phq gan mesh`` does."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import trimesh

from phq.generator.config import Render
from phq.generator.use.arguments import REST
from phq.generator.use.mrc import mrc
from phq.generator.use.outputs import check_free, check_suffix
from phq.generator.use.people import Person
from phq.generator.use.surface import Surface, densities, extract
from phq.system.arrays import Floats
from phq.system.atomic import disk_errors_explained, write_bytes

LEVEL = 15.0
VOXELS = 192


@disk_errors_explained
def write_mesh(
    person: Person,
    outs: Sequence[Path],
    *,
    pose: Floats | str = REST,
    voxels: int = VOXELS,
    level: float = LEVEL,
    largest: bool = True,
) -> Surface:
    """Write the surface of a person to each of `outs`, by its suffix; the densities themselves as ``.mrc``.

    Metres, origin at the neck joint, y up, the face towards +z: these are also glTF's axes and units.

    Args:
        pose: see `phq.generator.use.arguments.parse_pose`. voxels, level, largest: see
            `phq.generator.use.surface.extract`.

    Raises:
        EmptySurfaceError: nothing is so dense.
        OutputError: a file is there already, is called otherwise, or cannot be written.
    """
    for out in outs:
        check_suffix(out, ".glb", ".ply", ".mrc")
    check_free(outs)
    sample = person.sampler(person.posed(pose))
    volume = densities(sample, half_box(person.g.config.render), voxels)
    surface = extract(volume, sample, level, largest)
    content = {".glb": lambda: glb(surface), ".ply": lambda: ply(surface), ".mrc": lambda: mrc(volume)}
    for out in outs:
        write_bytes(out, content[out.suffix.lower()]())
    return surface


def half_box(render: Render) -> tuple[float, float, float]:
    """Metres from the origin to the sides of the box in which a person can be."""
    beside = render.box / 2 - (render.margin if render.crop else 0.0)
    return beside, render.box / 2, beside


def ply(surface: Surface) -> bytes:
    """Binary PLY; colours are sRGB, 8 bits."""
    content: bytes = _trimesh(surface).export(file_type="ply", vertex_normal=True)
    return content


def glb(surface: Surface) -> bytes:
    """Binary glTF 2.0: linear colours, as it demands, and a material without light, which is in the colours already.

    trimesh writes colours of 8 bits, in which the dark tones of hair would be a few steps once they are linear.
    """
    c = surface.colours
    linear = np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4).astype("<f4")  # IEC 61966-2-1

    def put_colours(items: dict[Any, bytes], tree: dict[str, Any]) -> None:
        number = tree["meshes"][0]["primitives"][0]["attributes"]["COLOR_0"]
        accessor = list(tree["accessors"].values())[number]
        for name in ("normalized", "min", "max"):
            accessor.pop(name, None)
        accessor.update(componentType=5126, type="VEC3")
        items[list(items)[accessor["bufferView"]]] = linear.tobytes()

    def put_material(tree: dict[str, Any]) -> None:
        matte = {"baseColorFactor": [1, 1, 1, 1], "metallicFactor": 0, "roughnessFactor": 1}
        tree["materials"] = [{"pbrMetallicRoughness": matte, "extensions": {"KHR_materials_unlit": {}}}]
        tree["extensionsUsed"] = ["KHR_materials_unlit"]
        tree["meshes"][0]["primitives"][0]["material"] = 0

    content: bytes = _trimesh(surface).export(
        file_type="glb", include_normals=True, tree_postprocessor=put_material, buffer_postprocessor=put_colours
    )
    return content


def _trimesh(surface: Surface) -> Any:
    return trimesh.Trimesh(
        surface.vertices,
        surface.faces,
        vertex_normals=surface.normals,
        vertex_colors=np.round(surface.colours * 255).astype(np.uint8),
        process=False,
    )
