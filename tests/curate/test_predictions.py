"""``phq annotate --predictions``: labels of other programs, in their formats and conventions."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from predicted_files import (
    TO_CV,
    Drawn,
    Row,
    Writer,
    body_box,
    drawn_people,
    folder,
    jsonl,
    lp300w,
    npz,
    openface,
    parquet,
    people,
    straight,
    table,
    tddfa,
    turned,
)
from scipy.spatial.transform import Rotation
from typer.testing import CliRunner

from phq.cli import app
from phq.curate.predictions.annotation import FUSE, Predictions, annotate_from_predictions
from phq.dataset.overlays import about_overlay
from phq.dataset.reader import Dataset
from phq.errors import ConfigError, InputError
from phq.exchange.crops_list import export_crops

EULER = ("pitch", "yaw", "roll")
NOISE = 6.0


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return drawn_people(tmp_path_factory.mktemp("drawn") / "set")


@pytest.fixture
def dataset(drawn: Path, tmp_path: Path) -> Path:
    """A copy that a test may put overlays on."""
    return Path(shutil.copytree(drawn, tmp_path / "ds"))


def key(person: Drawn) -> Row:
    return {"key": person.row["key"]}


def photo_and_box(person: Drawn) -> Row:
    return {"photo": f"/elsewhere/{person.row['source_path']}", "box": body_box(person)}


def head_box(person: Drawn) -> np.ndarray:
    scale, _, x, _, _, y = person.row["crop_to_source"]
    side = scale * person.row["image_size"]
    return np.array([x + 0.25 * side, y, x + 0.75 * side, y + 0.55 * side])


def whenet(person: Drawn, rotation: np.ndarray) -> Row:
    return {**key(person), **dict(zip(EULER, lp300w(rotation), strict=True))}


def sixd(person: Drawn, rotation: np.ndarray) -> Row:
    return {**key(person), "R_pred": (TO_CV @ rotation).T}


def dense(person: Drawn, rotation: np.ndarray) -> Row:
    named = {"photo": Path(person.row["source_path"]).name, "box": head_box(person)}
    return {**named, **dict(zip(EULER, tddfa(rotation), strict=True))}


def of_openface(person: Drawn, rotation: np.ndarray) -> Row:
    return {**photo_and_box(person), **dict(zip(("pose_Rx", "pose_Ry", "pose_Rz"), openface(rotation), strict=True))}


def axis_angle(person: Drawn, rotation: np.ndarray) -> Row:
    named = {"sha256": person.row["source_sha256"], "box": body_box(person)}
    return {**named, "rotation": Rotation.from_matrix(rotation).as_rotvec()}


HEADS: dict[str, tuple[str, str, Callable[[Drawn, np.ndarray], Row], Writer]] = {
    "whenet.jsonl": ("whenet", "straight", whenet, jsonl),
    "6drepnet.npz": ("6drepnet", "straight", sixd, npz),
    "3ddfa.csv": ("3ddfa", "straight", dense, table),
    "openface.csv": ("openface", "photo", of_openface, table),
    "axis-angle.parquet": ("full-image", "photo", axis_angle, parquet),
    "headshot.jsonl": ("headshot", "crop", axis_angle, jsonl),
}


def head_in(person: Drawn, base: str) -> np.ndarray:
    """The head's rotation in the photo's camera, the headshot's, or one that looks straight at it."""
    if base == "straight":
        return straight(person, person.head(person.crop))
    return person.head(person.photo if base == "photo" else person.crop)


def noisy_heads(name: str, dataset: Path, out: Path, noise: float = NOISE) -> tuple[Path, list[np.ndarray]]:
    _, base, row, write = HEADS[name]
    rng = np.random.default_rng(7)
    found = [(person, turned(head_in(person, base), noise, rng)) for person in people(dataset)]
    return write(out / name, [row(*pair) for pair in found]), [rotation for _, rotation in found]


def take(dataset: Path, file: Path, kind: str, convention: str, **more: Any) -> Any:
    return annotate_from_predictions(dataset, "new", Predictions(file, kind, convention, **more))


@pytest.mark.parametrize("name", HEADS)
def test_heads_in_every_convention_come_back(name: str, dataset: Path, tmp_path: Path) -> None:
    convention, base, *_ = HEADS[name]
    file, expected = noisy_heads(name, dataset, tmp_path)
    done = take(dataset, file, "headpose", convention)
    assert (done.matched, done.unmatched, done.left) == (16, 0, [])
    for person, rotation in zip(people(dataset), expected, strict=True):
        np.testing.assert_allclose(head_in(person, base), rotation, atol=1e-4)


def joints_with_noise(person: Drawn, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Rotation of the chest in the photo's camera, and 24 joints, each with noise."""
    joints = np.stack([turned(joint, 1.0, rng) for joint in person.joints])
    joints[22:] = np.eye(3)
    return turned(person.photo, NOISE, rng), joints


def root_in(chest: np.ndarray, joints: np.ndarray) -> np.ndarray:
    return chest @ (joints[3] @ joints[6] @ joints[9]).T


def humans(person: Drawn, root: np.ndarray, joints: np.ndarray) -> Row:
    box = body_box(person)
    shape = {"box_center": (box[:2] + box[2:]) / 2, "box_size": np.array([2 * (box[3] - box[1])])}
    where = {"photo": person.row["source_path"], **shape, "img_size": np.array([640.0, 480.0])}
    return {**where, "global_orient": root[None], "body_pose": joints[1:], "betas": np.zeros(10)}


def vectors(person: Drawn, root: np.ndarray, joints: np.ndarray) -> Row:
    pose = Rotation.from_matrix(np.concatenate([root[None], joints[1:]])).as_rotvec()
    return {**photo_and_box(person), "pose": pose.ravel(), "image_size": [640, 480]}


def smplx(person: Drawn, root: np.ndarray, joints: np.ndarray) -> Row:
    pose = Rotation.from_matrix(joints[1:22]).as_rotvec().ravel()
    return {**key(person), "global_orient": Rotation.from_matrix(root).as_rotvec(), "body_pose": pose}


def world(person: Drawn, root: np.ndarray, joints: np.ndarray) -> Row:
    camera = Rotation.random(random_state=int(person.row["key"][:4], 16)).as_matrix()
    return {**smplx(person, camera.T @ root, joints), "world2cam": camera}


def opengl(person: Drawn, root: np.ndarray, joints: np.ndarray) -> Row:
    return {**vectors(person, TO_CV @ root, joints), **key(person)}


BODIES: dict[str, tuple[str, str, Callable[..., Row], Writer]] = {
    "4dhumans": ("smpl", "4dhumans", humans, folder),
    "axis-angle.parquet": ("smpl", "full-image", vectors, parquet),
    "multi-hmr.npz": ("smplx", "multi-hmr", smplx, npz),
    "whac.npz": ("smplx", "whac", world, npz),
    "opengl.jsonl": ("smpl", "y-up", opengl, jsonl),
}


def noisy_bodies(name: str, dataset: Path, out: Path) -> tuple[Path, list[tuple[np.ndarray, np.ndarray]]]:
    _, convention, row, write = BODIES[name]
    rng = np.random.default_rng(11)
    rows, expected = [], []
    for person in people(dataset):
        chest, joints = joints_with_noise(person, rng)
        base = person.line.T @ chest if convention == "4dhumans" else chest
        rows.append(row(person, root_in(base, joints), joints))
        expected.append((chest, joints))
    order = (
        sorted(range(len(rows)), key=lambda i: str(people_name(dataset, i))) if write is folder else range(len(rows))
    )
    return write(out / name, [rows[i] for i in order]), expected


def people_name(dataset: Path, number: int) -> tuple[str, float]:
    row = Dataset(dataset, rejects=True)[number].row
    return row["source_path"], row["box_x0"]


@pytest.mark.parametrize("name", BODIES)
def test_bodies_in_every_convention_come_back(name: str, dataset: Path, tmp_path: Path) -> None:
    kind, convention, *_ = BODIES[name]
    file, expected = noisy_bodies(name, dataset, tmp_path)
    done = take(dataset, file, kind, convention)
    assert (done.matched, done.unmatched, done.left) == (16, 0, [])
    for person, (chest, joints) in zip(people(dataset), expected, strict=True):
        np.testing.assert_allclose(person.photo, chest, atol=1e-4)
        np.testing.assert_allclose(person.root(person.photo), root_in(chest, joints), atol=1e-4)
        np.testing.assert_allclose(person.joints[1:22], joints[1:22], atol=1e-4)


WRONG = {
    "the sign of yaw": ("whenet.jsonl", "whenet,yaw+right", "yaw+left in place of yaw+right"),
    "the sign of pitch": ("openface.csv", "openface,pitch+up", "pitch+down in place of pitch+up"),
    "radians for degrees": ("openface.csv", "openface,degrees", "radians in place of degrees"),
    "front for back": ("axis-angle.parquet", "full-image,faces-z", "faces+z in place of faces-z"),
    "y up for y down": ("axis-angle.parquet", "full-image,y-up", "y-down in place of y-up"),
    "the inverse": ("6drepnet.npz", "crop,y-up", "camera-to-body in place of body-to-camera"),
    "another program": ("3ddfa.csv", "openface", "3ddfa"),
    "the camera of the crop": ("axis-angle.parquet", "crop", "full-image in place of crop"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_convention_is_named_before_anything_is_written(wrong: str, dataset: Path, tmp_path: Path) -> None:
    name, convention, phrase = WRONG[wrong]
    file, _ = noisy_heads(name, dataset, tmp_path, noise=2.0)
    before = sorted(path.name for path in dataset.rglob("*"))
    with pytest.raises(InputError, match="the convention looks wrong") as refused:
        take(dataset, file, "headpose", convention)
    assert phrase in str(refused.value)
    assert sorted(path.name for path in dataset.rglob("*")) == before


def test_a_constant_turn_that_no_convention_explains_is_named(dataset: Path, tmp_path: Path) -> None:
    tilt = Rotation.from_euler("yx", [70, 40], degrees=True).as_matrix()
    rows = [axis_angle(person, person.head(person.photo) @ tilt) for person in people(dataset)]
    with pytest.raises(InputError, match=r"a constant turn of 79° about .* in the axes of the body"):
        take(dataset, jsonl(tmp_path / "tilted.jsonl", rows), "headpose", "full-image")


def test_the_convention_is_taken_as_stated_if_the_user_says_so(dataset: Path, tmp_path: Path) -> None:
    file, _ = noisy_heads("whenet.jsonl", dataset, tmp_path)
    assert take(dataset, file, "headpose", "whenet,yaw+right", trusted=True).matched == 16


def test_fused_labels_are_better_than_either_source(dataset: Path, tmp_path: Path) -> None:
    """Noise on the dataset's own labels, and other noise of the same size on predictions."""
    rng = np.random.default_rng(2)
    true = [person.head(person.photo) for person in people(dataset)]
    first = parquet(
        tmp_path / "own.parquet", [axis_angle(p, turned(r, 9, rng)) for p, r in zip(people(dataset), true, strict=True)]
    )
    annotate_from_predictions(dataset, "own", Predictions(first, "headpose", "full-image"))
    own = errors(dataset, true)
    rows = [turned(rotation, 9, rng) for rotation in true]
    file = jsonl(tmp_path / "other.jsonl", [axis_angle(p, r) for p, r in zip(people(dataset), rows, strict=True)])
    other = np.array([degrees(a, b) for a, b in zip(rows, true, strict=True)])
    done = take(dataset, file, "headpose", "full-image", mode=FUSE)
    both = errors(dataset, true)
    assert 5 < done.sigma < 15
    assert both.mean() < 0.85 * min(own.mean(), other.mean())


def degrees(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.degrees(Rotation.from_matrix(one.T @ other).magnitude()))


def errors(dataset: Path, true: list[np.ndarray]) -> np.ndarray:
    return np.array([degrees(p.head(p.photo), r) for p, r in zip(people(dataset), true, strict=True)])


def test_keypoints_come_back_from_pixels_and_from_fractions_of_the_box(dataset: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    rows, expected = [], []
    for person in people(dataset):
        box = body_box(person)
        own = np.reshape(person.row["coco_keypoints"], (17, 3))
        points = own + np.column_stack([rng.normal(0, 1, (17, 2)), np.zeros(17)])
        xy = (points[:, :2] - box[:2]) / (box[2:] - box[:2])
        rows.append({**photo_and_box(person), "keypoints": np.column_stack([xy, points[:, 2]])})
        expected.append(points)
    file = parquet(tmp_path / "keypoints.parquet", rows)
    with pytest.raises(InputError, match="crop in place of full-image"):
        take(dataset, file, "keypoints", "fractions")
    assert take(dataset, file, "keypoints", "fractions,crop").matched == 16
    found = [np.reshape(person.row["coco_keypoints"], (17, 3)) for person in people(dataset)]
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_rows_that_cannot_be_used_are_counted_with_their_reasons(dataset: Path, tmp_path: Path) -> None:
    everyone = people(dataset)
    rows = [axis_angle(person, person.head(person.photo)) for person in everyone]
    good = rows[:10]
    turned_photo = rows[10] | {"image_size": [480, 640]}
    resized = rows[11] | {"image_size": [320, 240]}
    endless = rows[12] | {"rotation": [float("nan"), 0, 0]}
    matrix = rows[13] | {"rotation": np.diag([1.0, 1.0, -1.0])}
    elsewhere = rows[14] | {"box": [0, 0, 5, 5]}
    stranger = {"photo": "nobody.jpg", "rotation": [0, 0, 0]}
    twice = rows[0] | {"box": np.asarray(rows[0]["box"]) + 3}
    file = jsonl(
        tmp_path / "mixed.jsonl",
        [*good, turned_photo, resized, endless, matrix, elsewhere, stranger, twice, {"key": "0" * 16}],
    )
    said: list[str] = []
    done = annotate_from_predictions(dataset, "new", Predictions(file, "headpose", "full-image"), notify=said.append)
    why = {left.where: left.why for left in done.left}
    assert done.matched == 10
    assert done.unmatched == 6
    assert "480 × 640 pixels are stated, the photo has 640 × 480; it was read without its EXIF" in why["line 11"]
    assert why["line 12"] == "320 × 240 pixels are stated, the photo has 640 × 480"
    assert why["line 13"] == "rotation is not finite"
    assert why["line 14"] == "rotation has matrices that mirror (determinant −1)"
    assert why["line 15"] == "its box overlaps with nobody's of the photo enough"
    assert why["line 16"] == "there is no photo nobody.jpg"
    assert "has a better row" in why["line 17"]
    assert why["line 18"] == f"there is no sample {'0' * 16}"
    assert any("rows of a picture of another size" in line for line in said)


def test_a_file_without_a_usable_row_leaves_the_dataset_as_it_was(dataset: Path, tmp_path: Path) -> None:
    person = people(dataset)[0]
    rows = [key(person) | {"global_orient": [0, 0, 0], "body_pose": np.zeros((21, 3))}]
    with pytest.raises(InputError, match=r"body_pose has 21 rotations, 23 are wanted .*--as smplx"):
        take(dataset, jsonl(tmp_path / "x.jsonl", rows), "smpl", "4dhumans")
    with pytest.raises(InputError, match="no rotation of the camera"):
        take(dataset, jsonl(tmp_path / "w.jsonl", rows), "smplx", "whac")
    double = [key(person) | {"yaw": 1, "pitch": 2, "roll": 3}] * 2
    with pytest.raises(InputError, match=r"2 rows have the key .*; none is taken"):
        take(dataset, jsonl(tmp_path / "2.jsonl", double), "headpose", "whenet")
    assert "new" not in Dataset(dataset).overlays
    assert not (dataset / "overlays" / "new.parquet").exists()


def test_files_that_are_no_predictions_are_refused_with_a_sentence(dataset: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.npz").write_bytes(b"PK\3\4 no zip")
    (tmp_path / "bad.parquet").write_bytes(b"nothing")
    (tmp_path / "bad.jsonl").write_text("[1, 2]\n")
    (tmp_path / "empty.csv").write_text("yaw,pitch\n")
    np.savez(tmp_path / "uneven.npz", key=np.array(["a", "b"]), rotation=np.zeros((3, 3, 3)))
    np.savez(tmp_path / "pickled.npz", key=np.array([{}], dtype=object))
    for name in ("bad.npz", "bad.parquet", "bad.jsonl", "empty.csv", "uneven.npz", "pickled.npz", "none.npz", "x.txt"):
        with pytest.raises(InputError, match=name.partition(".")[0]):
            take(dataset, tmp_path / name, "headpose", "whenet")


@pytest.mark.parametrize(
    ("kind", "convention", "sentence"),
    [
        ("headpose", "whenett", "did you mean whenet"),
        ("smpl", "whenet", "whenet writes headpose, not smpl"),
        ("headpose", "whenet,openface", "names two programs"),
        ("headpose", "y-up,y-down", "says both y-up and y-down"),
        ("hands", "", "--as 'hands'"),
    ],
)
def test_unknown_conventions_are_refused(kind: str, convention: str, sentence: str, drawn: Path) -> None:
    with pytest.raises(ConfigError, match=sentence):
        take(drawn, Path("nowhere.npz"), kind, convention)


def test_the_round_trip_is_two_commands(dataset: Path, tmp_path: Path) -> None:
    runner, listed = CliRunner(), tmp_path / "crops.jsonl"
    words = ["export", "crops", str(dataset), "--for", "whenet", "--out", str(listed)]
    assert runner.invoke(app, words, catch_exceptions=False).exit_code == 0
    rows = [json.loads(line) for line in listed.read_text().splitlines()]
    heads = {person.row["key"]: lp300w(head_in(person, "straight")) for person in people(dataset)}
    for row in rows:  # what the other program adds; matched again by photo and the head's box
        row |= dict(zip(EULER, heads[row.pop("key")], strict=True))
    words = ["annotate", str(dataset), "--name", "heads", "--predictions", str(jsonl(tmp_path / "out.jsonl", rows))]
    more = ["--as", "headpose", "--convention", "whenet", "--source-version", "0.0.4", "--json", "-"]
    done = runner.invoke(app, [*words, *more], catch_exceptions=False)
    assert done.exit_code == 0
    assert '"matched": 16' in done.stdout
    about = about_overlay(Dataset(dataset).root, "heads")["predictions"]
    assert (about["source"], about["source_version"]) == ("WHENet", "0.0.4")
    assert about["licence"].startswith("BSD-3-Clause")


def test_a_list_of_crops_replaces_nothing_and_knows_its_programs(dataset: Path, tmp_path: Path) -> None:
    out = tmp_path / "list.jsonl"
    with pytest.raises(ConfigError, match="--for 'nobody': there are phq, whenet"):
        export_crops(dataset, out, "nobody")
    out.write_text("mine")
    with pytest.raises(ConfigError, match="is not a list of phq"):
        export_crops(dataset, out, "4dhumans")
    out.unlink()
    assert export_crops(dataset, out, "4dhumans").people == export_crops(dataset, out, "4dhumans").people == 16
    first = json.loads(out.read_text().splitlines()[0])
    row = people(dataset)[0].row
    assert first["box"] == pytest.approx(body_box(people(dataset)[0]), abs=0.01)
    assert (first["photo"], first["focal_px"], first["image_size"]) == (row["source_path"], 500.0, [640, 480])
    with pytest.raises(InputError, match="no samples"):
        export_crops(dataset, out, "whenet", where="key = ''")


def test_options_of_predictions_are_refused_alone_and_beside_networks(dataset: Path) -> None:
    words = ["annotate", str(dataset), "--name", "x"]
    for more in (
        ["--fuse"],
        ["--predictions", "a.npz"],
        ["--predictions", "a.npz", "--as", "smpl", "--groups", "pose"],
    ):
        with pytest.raises(ConfigError, match="--predictions"):
            CliRunner().invoke(app, [*words, *more], catch_exceptions=False)
