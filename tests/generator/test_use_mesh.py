"""Meshes: a sphere of known radius, closed surfaces, colours of the outside, files that others read."""

from __future__ import annotations

import io
import json
import struct
from pathlib import Path

import mrcfile
import numpy as np
import pytest
import torch
import trimesh
from generator_runs import app, opened, write_run
from torch import Tensor
from typer.testing import CliRunner

from phq.errors import OutputError
from phq.generator.networks.generator import Sampled
from phq.generator.use.cameras import camera_at
from phq.generator.use.meshing import glb, half_box, ply, write_mesh
from phq.generator.use.mrc import mrc
from phq.generator.use.people import people
from phq.generator.use.surface import EmptySurfaceError, Sampler, Surface, Volume, densities, extract

HALF = (0.25, 0.35, 0.25)
LEVEL = 15.0
RED, BLUE = (0.8, -0.6, -0.6), (-0.6, -0.6, 0.8)


def balls(*centres_and_radii: tuple[tuple[float, float, float], float], core: bool = False) -> Sampler:
    """Dense balls, red where x > 0 and else blue; with a core, white from 5 cm below the surface on."""

    def sample(points: Tensor) -> Sampled:
        inside = torch.stack([r - (points - torch.tensor(c)).norm(dim=1) for c, r in centres_and_radii]).amax(dim=0)
        colour = torch.where(points[:, :1] > 0, torch.tensor(RED), torch.tensor(BLUE))
        if core:
            colour = torch.where(inside[:, None] > 0.05, torch.ones(3), colour)
        return Sampled((LEVEL + 3000 * inside).clamp(0, 300), colour)

    return sample


def surface_of(sample: Sampler, voxels: int, level: float = LEVEL, largest: bool = True) -> Surface:
    return extract(densities(sample, HALF, voxels), sample, level, largest)


@pytest.fixture(scope="module")
def ball() -> Surface:
    return surface_of(balls(((0.02, 0.05, -0.03), 0.12), core=True), 64)


def as_trimesh(surface: Surface) -> trimesh.Trimesh:
    return trimesh.Trimesh(surface.vertices, surface.faces, process=False)


def test_a_ball_is_where_it_is_and_as_large_as_it_is(ball: Surface):
    away = ball.vertices - [0.02, 0.05, -0.03]
    voxel = 0.7 / 64
    assert np.abs(np.linalg.norm(away, axis=1) - 0.12).max() < voxel / 2
    assert as_trimesh(ball).is_watertight
    assert as_trimesh(ball).volume == pytest.approx(4 / 3 * np.pi * 0.12**3, rel=0.02)  # positive: faces look outwards
    assert (away * ball.normals).sum(axis=1).min() > 0.9 * 0.12


def test_a_vertex_has_the_colour_of_its_outside(ball: Surface):
    far = np.abs(ball.vertices[:, 0]) > 0.02
    expected = np.where(ball.vertices[:, :1] > 0, RED, BLUE) / 2 + 0.5
    np.testing.assert_allclose(ball.colours[far], expected[far], atol=0.02)


def test_only_the_largest_part_unless_all_are_wanted():
    two = balls(((0, 0.1, 0), 0.1), ((0, -0.25, 0), 0.04))
    largest = surface_of(two, 48)
    both = surface_of(two, 48, largest=False)
    assert as_trimesh(largest).body_count == 1
    assert as_trimesh(both).body_count == 2
    assert largest.vertices[:, 1].min() > -0.05
    assert as_trimesh(largest).is_watertight
    assert len(largest.vertices) == len(largest.normals) == len(largest.colours) == largest.faces.max() + 1


def test_a_surface_is_closed_where_the_box_cuts_it():
    cut = surface_of(balls(((0.2, 0, 0), 0.15)), 48)
    assert as_trimesh(cut).is_watertight
    assert cut.vertices[:, 0].max() == pytest.approx(0.25, abs=0.7 / 48)


def test_a_volume_without_surface_gets_a_sentence():
    with pytest.raises(EmptySurfaceError, match=r"no surface of density 400.*densest point has 2"):
        surface_of(balls(((0, 0, 0), 0.1)), 24, 400)


def test_a_ply_that_others_read(ball: Surface):
    read = trimesh.load(io.BytesIO(ply(ball)), file_type="ply", process=False)
    np.testing.assert_allclose(read.vertices, ball.vertices, atol=1e-6)
    np.testing.assert_array_equal(read.faces, ball.faces)
    np.testing.assert_allclose(read.visual.vertex_colors[:, :3] / 255, ball.colours, atol=0.5 / 255 + 1e-6)


def test_a_glb_that_others_read(ball: Surface):
    content = glb(ball)
    (read,) = trimesh.load(io.BytesIO(content), file_type="glb", process=False, skip_materials=True).geometry.values()
    np.testing.assert_allclose(read.vertices, ball.vertices, atol=1e-6)
    np.testing.assert_array_equal(read.faces, ball.faces)
    np.testing.assert_allclose(read.vertex_normals, ball.normals, atol=1e-3)
    linear = read.visual.vertex_colors[:, :3] / 255
    screen = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * np.maximum(linear, 1e-9) ** (1 / 2.4) - 0.055)
    np.testing.assert_allclose(screen, ball.colours, atol=0.02)
    (length,) = struct.unpack("<I", content[12:16])
    tree = json.loads(content[20 : 20 + length])
    (primitive,) = tree["meshes"][0]["primitives"]
    assert "KHR_materials_unlit" in tree["materials"][primitive["material"]]["extensions"]
    colours = tree["accessors"][primitive["attributes"]["COLOR_0"]]
    assert (colours["componentType"], colours["type"], colours["count"]) == (5126, "VEC3", len(ball.vertices))


def test_an_mrc_that_others_read(tmp_path: Path):
    rng = np.random.default_rng(0)
    volume = Volume(rng.random((5, 7, 6), np.float32), (-0.02, -0.03, -0.025), 0.01)
    (tmp_path / "head.mrc").write_bytes(mrc(volume))
    assert mrcfile.validate(tmp_path / "head.mrc")
    with mrcfile.open(tmp_path / "head.mrc") as read:
        np.testing.assert_array_equal(read.data, volume.density.transpose(2, 1, 0))  # sections, rows, columns: z, y, x
        assert (read.header.mapc, read.header.mapr, read.header.maps) == (1, 2, 3)
        np.testing.assert_allclose(read.voxel_size.tolist(), [0.01] * 3, rtol=1e-6)
        np.testing.assert_allclose(read.header.origin.tolist(), volume.first, rtol=1e-6)
        assert "metre" in read.get_labels()[0]


def test_the_volume_lies_where_the_surface_does(tmp_path: Path):
    sample = balls(((0.1, 0.05, -0.03), 0.1))
    volume = densities(sample, HALF, 48)
    x, y, z = (first + volume.voxel * np.arange(n) for first, n in zip(volume.first, volume.density.shape, strict=True))
    weights = np.maximum(volume.density - LEVEL, 0)
    centre = [
        (weights.sum(axis=(1, 2)) * x).sum(),
        (weights.sum(axis=(0, 2)) * y).sum(),
        (weights.sum(axis=(0, 1)) * z).sum(),
    ]
    np.testing.assert_allclose(centre / weights.sum(), [0.1, 0.05, -0.03], atol=volume.voxel / 4)


def test_vertices_of_a_generator_lie_at_the_level(tmp_path: Path):
    trained = opened(tmp_path)
    (person,) = people(trained, [0], camera_at(0))
    sampler = person.sampler(None)
    half = half_box(trained.g.config.render)
    assert half == pytest.approx((0.25, 0.35, 0.25))
    rng = torch.Generator().manual_seed(0)
    points = (torch.rand(2000, 3, generator=rng) * 2 - 1) * torch.tensor(half)
    level = sampler(points).density.quantile(0.6).item()
    surface = write_mesh(person, [tmp_path / "a.glb", tmp_path / "a.ply"], voxels=40, level=level)
    vertices = torch.tensor(surface.vertices)
    within = (vertices.abs() < torch.tensor(half) - 0.02).all(dim=1)
    assert within.sum() > 100
    found = sampler(vertices[within]).density
    spread = sampler(points).density.std()
    assert (found - level).abs().mean() < 0.05 * spread
    with pytest.raises(OutputError, match=r"a\.ply already exists"):
        write_mesh(person, [tmp_path / "b.glb", tmp_path / "a.ply"], voxels=8, level=level)
    with pytest.raises(OutputError, match=r"ends in \.glb or \.ply or \.mrc"):
        write_mesh(person, [tmp_path / "b.obj"], voxels=8, level=level)
    assert not (tmp_path / "b.glb").exists()


def test_the_command(tmp_path: Path):
    run, out = str(write_run(tmp_path / "run")), tmp_path / "head.glb"
    thin = CliRunner().invoke(app, ["mesh", run, "--out", str(out), "--voxels", "16"])
    assert isinstance(thin.exception, EmptySurfaceError)
    options = ["--voxels", "16", "--level", "0.2", "--pose", "20,0"]
    made = CliRunner().invoke(app, ["mesh", run, "--out", str(out), "--out", str(tmp_path / "head.mrc"), *options])
    assert made.exit_code == 0, made.output
    assert f"triangles   {out}" in made.output
    with mrcfile.open(tmp_path / "head.mrc") as volume:
        assert volume.data.shape[1] == 16
    assert trimesh.load(out).bounds[1, 1] < 0.36
