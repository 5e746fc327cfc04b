"""Labels of four generators: what the numbers mean, what the pictures show, and what their loaders find."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from uuid import uuid4

import numpy as np
import pyarrow.parquet as pq
import pytest
from camera_label_datasets import (
    MARKS,
    SIDE,
    UpstreamLoader,
    cameras,
    decoded,
    dot,
    head_points,
    write_cameras,
)
from camera_vectors import VECTORS
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation
from typer.testing import CliRunner

from phq.align.crop import CropBox
from phq.building.build import BuildResult
from phq.camera.convention import FOCAL, mirror_camera, orbit, world2cam
from phq.camera.rotations import mirror_rotvec, rotvec_to_rotmat
from phq.cli import app
from phq.commands.build import FormatName
from phq.dataset.tar import read_member
from phq.errors import ConfigError, InputError, OutputError
from phq.exchange.crops import fillable
from phq.exchange.export import export_labels
from phq.exchange.formats import FORMATS, HeadFormat, label_format

HEADS = ("eg3d", "panohead", "spherehead")
ALL = ("3dportraitgan", *HEADS)
FLIP = np.diag([1.0, -1.0, -1.0, 1.0])
angle = st.floats(-175, 175)


def project_label(points: np.ndarray, label: np.ndarray) -> np.ndarray:
    """Points (N, 3) of a label's world to fractions (N, 2) of its picture's side, as the generators cast rays."""
    K, to_cam = label[16:25].reshape(3, 3), np.linalg.inv(label[:16].reshape(4, 4))
    seen = (points @ to_cam[:3, :3].T + to_cam[:3, 3]) @ K.T
    return seen[:, :2] / seen[:, 2:]


def project_view(points: np.ndarray, camera: np.ndarray, K: np.ndarray) -> np.ndarray:
    """Points (N, 3) of phq's world to fractions of the side of the picture with these intrinsics."""
    to_cam = world2cam(camera)
    seen = (points @ to_cam[:3, :3].T + to_cam[:3, 3]) @ K.T
    return seen[:, :2] / seen[:, 2:]


def in_head_world(kind: HeadFormat) -> np.ndarray:
    """`MARKS` in the world of a head format."""
    return (head_points(MARKS, np.zeros(6)) - kind.origin) / kind.metres


# --- what the numbers mean


@pytest.mark.parametrize("view", VECTORS)
def test_published_vectors_of_3dportraitgan(view):
    pose = np.array([0.1, 0.2, 0.3, -0.1, 0.0, 0.4])
    label = FORMATS["3dportraitgan"].encode(orbit(*view), pose)
    assert len(label) == 31
    np.testing.assert_allclose(label[:16], VECTORS[view], atol=2e-6)
    np.testing.assert_allclose(label[16:25], [FOCAL, 0, 0.5, 0, FOCAL, 0.5, 0, 0, 1])
    np.testing.assert_array_equal(label[25:], pose)


def from_tddfa(yaw: float, pitch: float, roll: float) -> np.ndarray:
    """3×3 head axes to OpenCV camera axes by 3DDFA_V2's angles (degrees): F · Rz(roll) Ry(−yaw) Rx(pitch)."""
    return FLIP[:3, :3] @ Rotation.from_euler("ZYX", [roll, -yaw, pitch], degrees=True).as_matrix()


@given(st.floats(-85, 85), st.floats(-70, 70), st.floats(-45, 45))
def test_panohead_labels_are_those_of_its_own_formula(yaw, pitch, roll):
    """PanoHead: cam2world is the inverse of F · T(0, 0, −2.7) · R, with R from 3DDFA_V2."""
    kind, moved = FORMATS["panohead"], np.eye(4)
    moved[2, 3] = -2.7
    rotation = np.eye(4)
    rotation[:3, :3] = np.diag([1.0, -1.0, -1.0]) @ from_tddfa(yaw, pitch, roll)
    label = np.concatenate([np.linalg.inv(FLIP @ moved @ rotation).ravel(), [4.2647, 0, 0.5, 0, 4.2647, 0.5, 0, 0, 1]])
    view = kind.decode(label)
    np.testing.assert_allclose(kind.encode(view.cam2world, view.neck_head_pose), label, atol=1e-9)
    # phq sees the same head turned the same way, up to the angle between the head and the middle of its own picture
    neck, head = rotvec_to_rotmat(view.neck_head_pose.reshape(2, 3))
    ours, theirs = world2cam(view.cam2world)[:3, :3] @ neck @ head, from_tddfa(yaw, pitch, roll)
    assert np.degrees(Rotation.from_matrix(ours.T @ theirs).magnitude()) < 2.5


@given(st.floats(-60, 60), st.floats(-30, 30), st.floats(-20, 20), st.floats(-0.3, 0.3), st.floats(-0.3, 0.3))
def test_eg3d_labels_show_the_face_where_the_template_has_it(yaw, pitch, roll, x, y):
    """EG3D's recipe from Deep3DFaceRecon's angles and translation; the camera then looks a little past the origin."""
    rotation = Rotation.from_euler("ZYX", [roll, yaw, pitch], degrees=True).as_matrix().T
    centre = -rotation @ np.array([x, y, -10.0]) * 0.27 + [0, 0.006, 0.161]
    pose = np.eye(4)
    pose[:3, :3], pose[:3, 3] = rotation @ np.diag([1.0, -1.0, -1.0]), 2.7 * centre / np.linalg.norm(centre)
    label = np.concatenate([pose.ravel(), [4.2647, 0, 0.5, 0, 4.2647, 0.5, 0, 0, 1]])
    kind = FORMATS["eg3d"]
    view = kind.decode(label)
    nose = np.array([[0.0, -0.0462, 0.5524]]) * 0.27 + [0, 0.006, 0.161]
    seen = project_view(head_points(("nose",), view.neck_head_pose), view.cam2world, view.intrinsics)
    np.testing.assert_allclose(seen, project_label(nose, label), atol=0.04)
    again = kind.encode(view.cam2world, view.neck_head_pose)
    np.testing.assert_allclose(again.reshape(-1)[[3, 7, 11]], pose[:3, 3], atol=1e-9)


@pytest.mark.parametrize("name", ALL)
def test_encode_and_decode_are_inverse(name):
    kind = FORMATS[name]
    tolerance = 5e-6 if kind.text else 1e-9  # PanoHead's strings have six decimals
    for camera, pose in cameras(40):
        written = json.loads(json.dumps(kind.written(kind.encode(camera, pose))))
        view = kind.decode(written, pose)
        np.testing.assert_allclose(view.cam2world, camera, atol=tolerance)
        np.testing.assert_allclose(view.intrinsics, kind.window(camera, pose), atol=10 * tolerance)
        np.testing.assert_allclose(view.neck_head_pose, pose, atol=1e-12)


@pytest.mark.parametrize("name", ALL)
def test_mirroring_a_camera_negates_the_published_entries(name):
    kind = FORMATS[name]
    for camera, pose in cameras(20):
        mirrored = kind.encode(mirror_camera(camera), mirror_rotvec(pose.reshape(2, 3)).ravel())
        expected = kind.encode(camera, pose)
        expected[[1, 2, 3, 4, 8]] *= -1
        expected[25:] = (expected[25:].reshape(-1, 3) * [1, -1, -1]).ravel()
        np.testing.assert_allclose(mirrored, expected, atol=1e-12)


@pytest.mark.parametrize("name", HEADS)
def test_a_head_camera_looks_straight_at_the_origin_from_2_7(name):
    for camera, pose in cameras(20):
        label = FORMATS[name].encode(camera, pose)
        np.testing.assert_allclose(project_label(np.zeros((1, 3)), label), [[0.5, 0.5]], atol=1e-12)
        assert np.linalg.norm(label[[3, 7, 11]]) == pytest.approx(2.7)
        assert label[16] == 4.2647


@pytest.mark.parametrize("name", HEADS)
def test_label_and_picture_agree(name):
    """The head's points lie in the picture where the label sees them; 3 % is the price of another assumed distance."""
    kind = FORMATS[name]
    for camera, pose in cameras(60):
        label, window = kind.encode(camera, pose), kind.window(camera, pose)
        in_picture = project_view(head_points(MARKS, pose), camera, window)
        np.testing.assert_allclose(project_label(in_head_world(kind), label), in_picture, atol=0.035)
        off = np.abs(project_label(in_head_world(kind), label) - in_picture)
        assert np.median(off) < 0.015


def test_formats_have_the_views_of_their_generators():
    """A head straight ahead: EG3D's eyes are 136 pixels of 512 apart, and its picture is smaller than PanoHead's."""
    eyes = np.array([[-0.311, 0.29, 0.134], [0.31, 0.29, 0.132]]) * 0.27 + [0, 0.006, 0.161]
    front = np.concatenate([(FLIP + np.diag([0, 0, 0, 0])).ravel(), [4.2647, 0, 0.5, 0, 4.2647, 0.5, 0, 0, 1]])
    front[11] = 2.7
    left, right = project_label(eyes, front) * 512
    assert right[0] - left[0] == pytest.approx(136, abs=12)
    spans = {name: FOCAL / FORMATS[name].window(orbit(0), np.zeros(6))[0, 0] * 0.41472 for name in HEADS}
    assert spans["eg3d"] == pytest.approx(0.2345 * 2.7 / 2.66, abs=0.003)
    assert spans["panohead"] == spans["spherehead"] == pytest.approx(0.264 * 2.7 / 2.64, abs=0.003)


def test_names_sort_as_numbers():
    for kind in FORMATS.values():
        numbers = [0, 7, 999, 1000, 9999, 54321]
        assert sorted(map(kind.image_name, numbers)) == [kind.image_name(n) for n in numbers]
    assert FORMATS["3dportraitgan"].image_name(1234) == "0000000001/0000001234.png"
    assert FORMATS["eg3d"].image_name(1234) == "00001/img00001234.png"


# --- what is written


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight samples with a dot at the nose; their photos lie beside them in ``photos``."""
    folder = tmp_path_factory.mktemp("cameras")
    (folder / "photos").mkdir()
    write_cameras(folder / "set", cameras(8, seed=5), folder / "photos")
    return folder / "set"


def rows_of(dataset: Path) -> list[dict]:
    return pq.read_table(dataset / "manifest.parquet").to_pylist()


def nose(row: dict, kind: HeadFormat) -> np.ndarray:
    """Where the dot must be, as a fraction of the exported picture's side."""
    camera, pose = np.reshape(row["cam2world"], (4, 4)), np.array(row["neck_head_pose"])
    return project_view(head_points(("nose",), pose), camera, kind.window(camera, pose))[0]


@pytest.mark.parametrize("suffix", ["", ".zip"])
@pytest.mark.parametrize("name", ALL)
def test_the_loaders_find_pictures_masks_and_labels(dataset, tmp_path, name, suffix):
    if name == "3dportraitgan" and not suffix:
        with pytest.raises(ConfigError, match="zip"):
            export_labels(dataset, tmp_path / "set", name)
        return
    done = export_labels(dataset, tmp_path / f"my.set{suffix}", name)
    images, masks = UpstreamLoader(done.images), UpstreamLoader(done.masks)
    kind = FORMATS[name]
    assert done.masks.name == f"my.set-mask{suffix}"
    assert images.names == masks.names == [kind.image_name(i) for i in range(8)]
    assert images.images[0].shape == (SIDE, SIDE, 3)
    assert masks.images[0].shape == (SIDE, SIDE)
    for row, label, mask in zip(rows_of(dataset), images.labels, masks.images, strict=True):
        camera, pose = np.reshape(row["cam2world"], (4, 4)), np.array(row["neck_head_pose"])
        np.testing.assert_allclose(label, kind.encode(camera, pose), atol=2e-6)
        assert set(np.unique(mask)) <= {0, 255}


@pytest.mark.parametrize("name", HEADS)
@pytest.mark.parametrize("source", ["crop", "photo"])
def test_pictures_show_what_their_labels_say(dataset, tmp_path, name, source):
    raw = dataset.parent / "photos" if source == "photo" else None
    done = export_labels(dataset, tmp_path / "set.zip", name, photos=raw, size=200)
    images, masks = UpstreamLoader(done.images), UpstreamLoader(done.masks)
    for row, image, mask in zip(rows_of(dataset), images.images, masks.images, strict=True):
        expected = nose(row, FORMATS[name]) * 200
        if (np.abs(expected - 100) < 80).all():  # the whole dot is in the picture
            np.testing.assert_allclose(dot(image), expected, atol=1.0)
            inside = np.argwhere(mask)[:, ::-1].mean(0) + 0.5
            if (np.abs(expected - 100) < 35).all():
                np.testing.assert_allclose(inside, expected, atol=1.5)


def test_3dportraitgan_gets_the_stored_crop_pixel_for_pixel(dataset, tmp_path):
    done = export_labels(dataset, tmp_path / "set.zip", "3dportraitgan")
    images, masks = UpstreamLoader(done.images), UpstreamLoader(done.masks)
    for row, image, mask in zip(rows_of(dataset), images.images, masks.images, strict=True):
        shard = dataset / row["shard"]
        np.testing.assert_array_equal(image, decoded(read_member(shard, row["jpg_offset"], row["jpg_size"])))
        np.testing.assert_array_equal(mask, decoded(read_member(shard, row["mask_offset"], row["mask_size"])))


@pytest.mark.parametrize("turn", [90, 180, 270])
def test_photos_that_were_turned_give_the_same_pictures(dataset, tmp_path, turn):
    (tmp_path / "photos").mkdir()
    write_cameras(tmp_path / "set", cameras(8, seed=5), tmp_path / "photos", turn)
    pictures = [
        UpstreamLoader(export_labels(of / "set", tmp_path / f"{n}.zip", "eg3d", photos=of / "photos", size=200).images)
        for n, of in enumerate((dataset.parent, tmp_path))
    ]
    np.testing.assert_array_equal(*(np.stack(list(loader.images)) for loader in pictures))


def test_photos_are_found_by_their_content(dataset, tmp_path):
    moved = tmp_path / "elsewhere" / "deep"
    moved.mkdir(parents=True)
    for number, photo in enumerate(sorted((dataset.parent / "photos").iterdir())):
        (moved / f"renamed-{number}").write_bytes(photo.read_bytes())
    export_labels(dataset, tmp_path / "a.zip", "eg3d", photos=tmp_path / "elsewhere")
    export_labels(dataset, tmp_path / "b.zip", "eg3d", photos=dataset.parent / "photos")
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()
    (moved / "renamed-3").unlink()
    with pytest.raises(InputError, match="sha256"):
        export_labels(dataset, tmp_path / "c.zip", "eg3d", photos=tmp_path / "elsewhere")
    assert not list(tmp_path.glob("c*"))


def test_a_dataset_at_a_url_gives_the_same_bytes(dataset, tmp_path):
    fsspec = pytest.importorskip("fsspec")
    url = f"memory://{uuid4().hex}"
    remote, folder = fsspec.core.url_to_fs(url)
    remote.put(f"{dataset}/", f"{folder}/", recursive=True)
    for name in ("local", "remote"):
        export_labels(dataset if name == "local" else url, tmp_path / f"{name}.zip", "panohead")
    for suffix in (".zip", "-mask.zip"):
        assert (tmp_path / f"local{suffix}").read_bytes() == (tmp_path / f"remote{suffix}").read_bytes()


def test_what_lies_beyond_the_crop_is_counted(dataset, tmp_path):
    whole = export_labels(dataset, tmp_path / "a.zip", "3dportraitgan")
    part = export_labels(dataset, tmp_path / "b.zip", "panohead")
    assert whole.beyond_photo == pytest.approx(0, abs=1e-6)
    assert 0 < part.beyond_photo < 0.2
    assert whole.fillable == 0
    assert part.fillable == pytest.approx(part.beyond_photo, abs=1e-6)


def test_only_what_the_photo_may_have_is_promised(dataset, tmp_path):
    """Of a part that reaches 10 px beyond a crop of 100 on each side."""
    part = CropBox(-10, -10, 120)
    at_edges, ends_inside = {"photo_in_crop": [0, 0, 100, 100]}, {"photo_in_crop": [20, 0, 100, 100]}
    assert fillable({"image_size": 100, **at_edges}, part) == pytest.approx(1 - 100**2 / 120**2)
    assert fillable({"image_size": 100, **ends_inside}, part) == pytest.approx((90 * 120 - 80 * 100) / 120**2)
    assert fillable({"image_size": 100, **ends_inside}, CropBox(0, 0, 100)) == 0
    words = ["export", "labels", str(dataset), "--no-masks", "--format"]
    said = [CliRunner().invoke(app, [*words, name, "--out", str(tmp_path / f"{name}.zip")]).output
            for name in ("3dportraitgan", "panohead")]  # fmt: skip
    assert ["--photos" in text for text in said] == [False, True]


def test_the_same_export_gives_the_same_bytes(dataset, tmp_path):
    first = export_labels(dataset, tmp_path / "a.zip", "panohead")
    second = export_labels(dataset, tmp_path / "b.zip", "panohead")
    assert first.images.read_bytes() == second.images.read_bytes()
    assert first.masks.read_bytes() == second.masks.read_bytes()
    with zipfile.ZipFile(first.images) as archive:
        assert {(e.date_time, e.compress_type) for e in archive.infolist()} == {((1980, 1, 1, 0, 0, 0), 0)}


def test_panohead_numbers_are_strings_with_six_decimals(dataset, tmp_path):
    export_labels(dataset, tmp_path / "set", "panohead", masks=False)
    labels = json.loads((tmp_path / "set" / "dataset.json").read_text())["labels"]
    written = [number for _, label in labels for number in label]
    assert all(isinstance(n, str) and len(n.split(".")[1]) == 6 and n != "-0.000000" for n in written)
    assert not (tmp_path / "set-mask").exists()


def test_one_split(dataset, tmp_path):
    done = export_labels(dataset, tmp_path / "set.zip", "eg3d", split="val")
    assert done.count == sum(row["split"] == "val" for row in rows_of(dataset)) == 2


def test_nothing_is_overwritten(dataset, tmp_path, capsys):
    (tmp_path / "set.zip").write_bytes(b"mine")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "mine.txt").write_text("mine")
    for out in (tmp_path / "set.zip", tmp_path / "folder"):
        with pytest.raises(OutputError, match="already exists"):
            export_labels(dataset, out, "eg3d", quiet=False)
    assert "writing" not in capsys.readouterr().err  # nothing that is refused is announced
    (tmp_path / "free-mask.zip").write_bytes(b"mine")
    with pytest.raises(OutputError, match=r"free-mask\.zip already exists"):
        export_labels(dataset, tmp_path / "free.zip", "eg3d")
    assert not (tmp_path / "free.zip").exists()
    assert (tmp_path / "set.zip").read_bytes() == (tmp_path / "free-mask.zip").read_bytes() == b"mine"


def test_wrong_calls_are_explained(dataset, tmp_path):
    with pytest.raises(ConfigError, match="eg3d, panohead"):
        label_format("eg3D")
    with pytest.raises(InputError, match="train, val"):
        export_labels(dataset, tmp_path / "set.zip", "eg3d", split="test")
    with pytest.raises(InputError, match="not a dataset of phq"):
        export_labels(tmp_path, tmp_path / "set.zip", "eg3d")


def test_the_command_names_every_format(dataset, tmp_path):
    assert [name.value for name in FormatName] == list(FORMATS)
    words = ["export", "labels", str(dataset), "--out", str(tmp_path / "set.zip"), "--format", "panohead"]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    assert "8 pictures" in result.output
    assert "--photos" in result.output
    assert (tmp_path / "set-mask.zip").exists()


@pytest.mark.parametrize(("size", "warns"), [(500, True), (512, False)])
def test_the_command_warns_of_a_size_that_the_published_loaders_refuse(dataset, tmp_path, size, warns):
    words = ["export", "labels", str(dataset), "--out", str(tmp_path / "set.zip"), "--format", "eg3d", "--no-masks"]
    result = CliRunner().invoke(app, [*words, "--size", str(size)])
    assert result.exit_code == 0, result.output
    warning = "warning: the pictures have 500 pixels a side; the published loaders and networks want a power of two"
    assert (f"{warning} (--size 256 or 512)" in result.output) == warns


def test_real_photographs(everything: BuildResult, tmp_path):
    """Every head format cuts the head out of the crop: the mask fills more of its picture than of the crop."""
    crops = export_labels(everything.out, tmp_path / "crops.zip", "3dportraitgan")
    heads = export_labels(everything.out, tmp_path / "heads.zip", "panohead")
    fraction = [np.mean([m > 0 for m in UpstreamLoader(done.masks).images]) for done in (crops, heads)]
    assert crops.count == heads.count == len(everything.kept)
    assert fraction[1] > fraction[0] + 0.03
    assert heads.beyond_photo < 0.15
