"""Labelled sets of four generators as phq datasets: cameras, honest fields, rejects, and the way there and back."""

from __future__ import annotations

import hashlib
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from camera_label_datasets import (
    SIDE,
    UpstreamLoader,
    cameras,
    decoded,
    dotted,
    encoded,
    index_of,
    write_cameras,
    write_folder,
    write_zip,
)
from typer.testing import CliRunner

from phq.camera.angles import camera_angles
from phq.camera.convention import FOCAL, RADIUS, mirror_camera, orbit
from phq.cli import app
from phq.dataset.tar import read_member
from phq.errors import ConfigError, InputError, OutputError
from phq.exchange.export import export_labels
from phq.exchange.formats import FORMATS
from phq.exchange.importing import import_labels
from phq.quality.blur import laplacian_variance
from phq.reasons import reason_names
from phq.schema import Sample

HEADS = ("eg3d", "panohead", "spherehead")
POSE = np.array([0.1, -0.2, 0.05, 0.15, 0.1, -0.1])


def picture(number: int, side: int = SIDE) -> np.ndarray:
    """Pictures that differ, of a dot that wanders."""
    return dotted(np.array([side / 4 + 7 * number, side / 3]), side)[0]


def manifest(out: Path) -> dict[str, dict[str, Any]]:
    return {row["source_path"]: row for row in pq.read_table(out / "manifest.parquet").to_pylist()}


def rejects(out: Path) -> dict[str, dict[str, Any]]:
    return {row["source_path"]: row for row in pq.read_table(out / "rejects.parquet").to_pylist()}


def stored(out: Path, row: dict[str, Any], prefix: str) -> bytes:
    return read_member(out / row["shard"], row[f"{prefix}_offset"], row[f"{prefix}_size"])


def digests(out: Path) -> dict[str, str]:
    files = sorted(p for p in out.rglob("*") if p.is_file())
    return {str(p.relative_to(out)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


@pytest.fixture(scope="module")
def phq360(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A pair of zips as 360PHQ's: 31 numbers, uncompressed PNG, masks under the same names."""
    folder = tmp_path_factory.mktemp("360phq")
    views = [orbit(0), orbit(90), orbit(180), orbit(0, 20)]
    names = [f"0000000000/{n:010d}.png" for n in range(len(views))]
    labels = {n: FORMATS["3dportraitgan"].encode(view, POSE).tolist() for n, view in zip(names, views, strict=True)}
    index = {"dataset.json": index_of(labels)}
    pictures = {name: encoded(picture(n), compress_level=0) for n, name in enumerate(names)}
    masks = {name: encoded(dotted(np.array([60.0, 70.0]))[1], compress_level=0) for name in names}
    images = write_zip(folder / "360PHQ-128.zip", pictures | index)
    return images, write_zip(folder / "360PHQ-128-mask.zip", masks | index)


@pytest.fixture(scope="module")
def imported(phq360, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("out") / "set"
    import_labels(phq360[0], out, "3dportraitgan", phq360[1], workers=1)
    return out


def test_360phq_keeps_cameras_poses_and_names(imported):
    rows = manifest(imported)
    assert sorted(rows) == [f"0000000000/{n:010d}.png" for n in range(4)]
    for name, view in zip(sorted(rows), (orbit(0), orbit(90), orbit(180), orbit(0, 20)), strict=True):
        row = rows[name]
        np.testing.assert_allclose(np.reshape(row["cam2world"], (4, 4)), view, atol=1e-9)
        np.testing.assert_allclose(row["neck_head_pose"], POSE, atol=1e-6)
        np.testing.assert_allclose(np.reshape(row["smpl_pose"], (24, 3))[[12, 15]].ravel(), POSE, atol=1e-6)
        np.testing.assert_allclose(
            [row[f"camera_{a}_deg"] for a in ("yaw", "pitch", "roll")], camera_angles(view), atol=1e-5
        )
        assert row["camera_convention"] == "phq-neck/1"
        assert row["intrinsics"][0] == pytest.approx(FOCAL)
        assert [i for i, seen in enumerate(row["pose_observed"]) if seen] == [0, 12, 15]


def test_pictures_and_masks_come_through(phq360, imported):
    with zipfile.ZipFile(phq360[0]) as images, zipfile.ZipFile(phq360[1]) as masks:
        for name, row in manifest(imported).items():
            crop = decoded(stored(imported, row, "jpg")).astype(int)
            assert np.abs(crop - decoded(images.read(name))).mean() < 2
            np.testing.assert_array_equal(decoded(stored(imported, row, "mask")), decoded(masks.read(name)))
            assert row["source_sha256"] == hashlib.sha256(images.read(name)).hexdigest()


def test_what_nobody_measured_is_stated_as_unknown(imported):
    for row in manifest(imported).values():
        assert not row["detectors"]
        assert not row["body_model"]
        assert not row["has_coco_keypoints"]
        assert not row["face_found"]
        assert not any(row["keypoints_2d"] + row["smpl_betas"] + row["keypoints_visibility"])
        assert row["crop_to_source"] == [1, 0, 0, 0, 1, 0]
        assert row["photo_in_crop"] == [0, 0, SIDE, SIDE]
        assert (row["image_width"], row["image_height"], row["image_size"]) == (SIDE, SIDE, SIDE)
        sample = Sample.model_validate_json(stored(imported, row, "json"))
        assert sample.model_dump() == {name: row[name] for name in Sample.model_fields}


def test_scores_of_the_pixels_are_computed(phq360, imported):
    with zipfile.ZipFile(phq360[0]) as images:
        for name, row in manifest(imported).items():
            assert row["laplacian_var"] == pytest.approx(laplacian_variance(decoded(images.read(name))), rel=1e-4)
            assert row["mask_fraction"] == pytest.approx(np.pi / 36, abs=0.005)
            assert row["mask_confidence"] == 1
            assert row["box_x1"] - row["box_x0"] == pytest.approx(SIDE / 3, abs=2)
            assert 0 < row["luminance"] < 1
            assert row["phash"] != row["phash_mirror"]
            assert row["head_px"] == pytest.approx((0.2679 - 0.0650) * FOCAL / RADIUS * SIDE, rel=1e-5)


def test_an_eg3d_folder_without_masks(tmp_path):
    """Mirrored copies lie beside the pictures, as EG3D's tools leave them."""
    kind, files, labels = FORMATS["eg3d"], {}, {}
    for number, (camera, _) in enumerate(cameras(3)):
        name, twin = f"00000/img{number:08d}.png", f"00000/img{number:08d}_mirror.png"
        label = kind.encode(camera, np.zeros(6))
        files[name], files[twin] = encoded(picture(number)), encoded(picture(number)[:, ::-1].copy())
        flipped = label.copy()
        flipped[[1, 2, 3, 4, 8]] *= -1
        labels |= {name: label.tolist(), twin: flipped.tolist()}
    source = write_folder(tmp_path / "ffhq", files | {"dataset.json": index_of(labels)})
    before = digests(source)
    done = import_labels(source, tmp_path / "set", "eg3d", workers=1)
    rows, out = manifest(done.out), rejects(done.out)
    assert sorted(rows) == [f"00000/img{n:08d}.png" for n in range(3)]
    assert sorted(out) == [f"00000/img{n:08d}_mirror.png" for n in range(3)]
    assert {row["reason"] for row in out.values()} == {"duplicate"}
    for (name, row), (camera, _) in zip(sorted(rows.items()), cameras(3), strict=True):
        np.testing.assert_allclose(np.reshape(row["cam2world"], (4, 4)), camera, atol=1e-7, err_msg=name)
        window = kind.window(camera, np.zeros(6))
        np.testing.assert_allclose(np.reshape(row["intrinsics"], (3, 3)), window, atol=1e-7)
        assert row["camera_convention"] == "phq-neck-window/1"
        assert row["mask_confidence"] == 0
        assert row["mask_fraction"] == 1
        assert not any(row["pose_observed"])
    assert digests(source) == before


def test_a_mirrored_label_is_a_mirrored_camera():
    kind, (camera, _) = FORMATS["spherehead"], cameras(1)[0]
    label = kind.encode(camera, np.zeros(6))
    label[[1, 2, 3, 4, 8]] *= -1
    np.testing.assert_allclose(kind.decode(label).cam2world, mirror_camera(camera), atol=1e-9)


@pytest.mark.parametrize("suffix", ["", ".zip"])
@pytest.mark.parametrize("name", ["3dportraitgan", *HEADS])
def test_export_and_import_give_the_same_cameras(tmp_path, name, suffix):
    if name == "3dportraitgan" and not suffix:
        return  # its loader takes no folders
    views = cameras(5, seed=9)
    write_cameras(tmp_path / "before", views)
    done = export_labels(tmp_path / "before", tmp_path / f"exported{suffix}", name)
    import_labels(done.images, tmp_path / "after", name, done.masks, workers=1)
    before, after = manifest(tmp_path / "before"), manifest(tmp_path / "after")
    tolerance = 5e-6 if FORMATS[name].text else 1e-6
    for index, row in enumerate(before.values()):  # the export is in the order of the manifest
        again = after[FORMATS[name].image_name(index)]
        np.testing.assert_allclose(again["cam2world"], row["cam2world"], atol=tolerance)
        np.testing.assert_allclose(again["neck_head_pose"], row["neck_head_pose"], atol=1e-9)
        for angle in ("camera_yaw_deg", "camera_pitch_deg", "head_yaw_deg", "head_roll_deg"):
            assert again[angle] == pytest.approx(row[angle], abs=2e-3)


@pytest.mark.parametrize("name", HEADS)
def test_import_and_export_give_the_same_labels_and_pictures(tmp_path, name):
    kind = FORMATS[name]
    names = [kind.image_name(n) for n in range(4)]
    labels = {n: kind.written(kind.encode(c, np.zeros(6))) for n, (c, _) in zip(names, cameras(4, 2), strict=True)}
    files = {n: encoded(picture(i)) for i, n in enumerate(names)}
    source = write_zip(tmp_path / "a.zip", files | {"dataset.json": index_of(labels)})
    import_labels(source, tmp_path / "set", name, workers=1)
    export_labels(tmp_path / "set", tmp_path / "b.zip", name)
    first, second = UpstreamLoader(source), UpstreamLoader(tmp_path / "b.zip")
    order = [names.index(row) for row in manifest(tmp_path / "set")]  # an import sorts by the hash of the picture
    np.testing.assert_allclose(second.labels, first.labels[order], atol=5e-6)
    for image, number in zip(second.images, order, strict=True):
        assert np.abs(image.astype(int) - first.images[number]).mean() < 2


def test_labels_of_float16_pass(tmp_path):
    label = FORMATS["3dportraitgan"].encode(orbit(30, 10), np.zeros(6)).astype(np.float16).astype(float)
    view = FORMATS["3dportraitgan"].decode(label)
    rotation = view.cam2world[:3, :3]
    np.testing.assert_allclose(rotation.T @ rotation, np.eye(3), atol=1e-12)
    np.testing.assert_allclose(view.cam2world, orbit(30, 10), atol=2e-3)


def test_unusable_pictures_are_rejects_with_a_reason(tmp_path):
    kind = FORMATS["panohead"]
    good = kind.written(kind.encode(*cameras(1)[0]))
    pixels = encoded(picture(0))
    files = {
        "a-good.png": pixels,
        "b-cut.png": pixels[: len(pixels) // 2],
        "c-text.png": b"not a picture at all",
        "d-wide.png": encoded(picture(0)[: SIDE // 2]),
        "e-squashed.png": encoded(picture(1)),
        "f-behind.png": encoded(picture(2)),
        "g-mask.png": encoded(picture(3)),
        "h-again.png": encoded(picture(0), compress_level=1),
        "i-nan.png": encoded(picture(4)),
    }
    labels = dict.fromkeys(files, good)
    labels["e-squashed.png"] = ["2.0", *good[1:]]
    labels["f-behind.png"] = [*good[:3], f"{-float(good[3]):.6f}", *good[4:7], f"{-float(good[7]):.6f}",
                              *good[8:11], f"{-float(good[11]):.6f}", *good[12:]]  # fmt: skip
    labels["i-nan.png"] = ["nan", *good[1:]]
    full = encoded(np.full((SIDE, SIDE), 255, np.uint8))
    masks = dict.fromkeys(files, full) | {"g-mask.png": encoded(np.full((9, 9), 255, np.uint8))}
    source = write_folder(tmp_path / "images", files | {"dataset.json": index_of(labels)})
    done = import_labels(source, tmp_path / "set", "panohead", write_folder(tmp_path / "seg", masks), workers=1)
    assert [row["source_path"] for row in done.kept] == ["a-good.png"]
    reasons = {name[0]: row["reason"] for name, row in rejects(done.out).items()}
    assert reasons == {
        "b": "truncated",
        "c": "not_an_image",
        "d": "unsupported_format",
        "e": "degenerate_pose",
        "f": "degenerate_pose",
        "g": "corrupt",
        "h": "exact_duplicate",
        "i": "degenerate_pose",
    }
    assert set(reasons.values()) <= reason_names()
    assert "no camera" in rejects(done.out)["e-squashed.png"]["detail"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"dataset.json": None}, "no dataset.json"),
        ({"dataset.json": b'{"labels": null}'}, "has no labels"),
        ({"dataset.json": b"{"}, "not valid JSON"),
        ({"extra.png": encoded(picture(5))}, "1 pictures have no label"),
        ({"dataset.json": index_of({"a.png": [0.0] * 31, "b.png": [0.0] * 25})}, "25 numbers of eg3d.*a.png"),
        ({"a.png": None, "b.png": None}, "no pictures"),
    ],
)
def test_a_set_that_is_none_is_refused_as_a_whole(tmp_path, change, words):
    files = {"a.png": encoded(picture(0)), "b.png": encoded(picture(1))}
    files["dataset.json"] = index_of({"a.png": [0.0] * 25, "b.png": [0.0] * 25})
    files = {name: content for name, content in (files | change).items() if content is not None}
    source = write_zip(tmp_path / "set.zip", files)
    with pytest.raises(InputError, match=words):
        import_labels(source, tmp_path / "out", "eg3d")
    assert not (tmp_path / "out").exists()


def test_other_wrong_calls(phq360, imported, tmp_path):
    images, masks = phq360
    with pytest.raises(ConfigError, match="unknown label format"):
        import_labels(images, tmp_path / "out", "ffhq")
    with pytest.raises(InputError, match="no such zip or folder"):
        import_labels(tmp_path / "nothing.zip", tmp_path / "out", "eg3d")
    (tmp_path / "text.zip").write_text("no zip")
    with pytest.raises(InputError, match="readable zip"):
        import_labels(tmp_path / "text.zip", tmp_path / "out", "eg3d")
    fewer = write_zip(tmp_path / "few.zip", {"0000000000/0000000000.png": b""})
    with pytest.raises(InputError, match="3 pictures have no mask"):
        import_labels(images, tmp_path / "out", "3dportraitgan", fewer)
    with pytest.raises(OutputError, match="already holds a dataset"):
        import_labels(images, imported, "3dportraitgan", masks)


def test_the_same_import_gives_the_same_bytes(phq360, imported, tmp_path):
    import_labels(phq360[0], tmp_path / "again", "3dportraitgan", phq360[1], workers=1)
    assert digests(tmp_path / "again") == digests(imported)


def test_an_interrupted_import_continues(phq360, imported, tmp_path, monkeypatch):
    from phq.exchange import importing

    def full(*_: object, **__: object) -> None:
        raise OutputError("the disk is full")

    monkeypatch.setattr(importing, "write_units", full)
    with pytest.raises(OutputError):
        import_labels(phq360[0], tmp_path / "set", "3dportraitgan", phq360[1], workers=1)
    monkeypatch.undo()
    monkeypatch.setattr("phq.building.carrying.CarryUnits.run", None)  # nothing left to do
    import_labels(phq360[0], tmp_path / "set", "3dportraitgan", phq360[1], workers=1)
    assert digests(tmp_path / "set") == digests(imported)


def test_the_command(phq360, tmp_path):
    words = ["import", str(phq360[0]), str(tmp_path / "set"), "--format", "3dportraitgan", "--masks", str(phq360[1])]
    result = CliRunner().invoke(app, [*words, "--workers", "1"])
    assert result.exit_code == 0, result.output
    assert "kept 4   rejected 0" in result.output
    assert json.loads((tmp_path / "set" / "run.json").read_text())["details"]["source"]["format"] == "3dportraitgan"
