"""COCO annotations: the format's rules, and the positions that the record states."""

from __future__ import annotations

import hashlib
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from curated_datasets import files, overlay, person, reject_of, write
from PIL import Image

from phq.dataset.reader import Dataset
from phq.errors import InputError, OutputError
from phq.exchange.coco import FACE, HEADSHOT, PERSON, _in_file, export_coco, run_lengths
from phq.photos.turn import from_turned

BOX = {"box_x0": 0.0, "box_y0": 0.0, "box_x1": 30.0, "box_y1": 40.0}


def in_photo(number: int, photo: Path, index: int = 0, **changes: Any) -> Any:
    """A sample whose stored square is that from (100, 50) with side 128 in a photo of 400 × 300."""
    facts = {
        "source_sha256": hashlib.sha256(photo.read_bytes()).hexdigest(), "source_path": photo.name,
        "person_index": index, "image_width": 400, "image_height": 300, "photo_turn_deg": 0,
        "crop_to_source": [2.0, 0.0, 100.0, 0.0, 2.0, 50.0],
        "box_x0": 90.0, "box_y0": 60.0, "box_x1": 190.0, "box_y1": 310.0,
        "smpl_transl": [0.0, 0.0, 2.7], "intrinsics": [4.0, 0.0, 0.5, 0.0, 4.0, 0.5, 0.0, 0.0, 1.0],
        "keypoints_2d": [120.0, 70.0] * 33, "face_found": True, "face_box": [8.0, 4.0, 24.0, 20.0],
    }  # fmt: skip
    return person(number, **(facts | changes))


def test_labels_of_a_turned_photo_are_those_of_the_file() -> None:
    row = {"photo_turn_deg": 90, "image_width": 300, "image_height": 400}  # of a file of 400 × 300
    assert _in_file(row, np.array([[0.0, 400.0], [0.0, 0.0]])).tolist() == [[0.0, 0.0], [400.0, 0.0]]
    assert _in_file(row | {"photo_turn_deg": 270}, np.array([[300.0, 0.0]])).tolist() == [[0.0, 0.0]]


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    for name, colour in (("a.png", 10), ("b.png", 20)):
        Image.new("RGB", (400, 300), (colour,) * 3).save(folder / name)
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, photos: Path) -> Path:
    samples = [in_photo(1, photos / "a.png"), in_photo(2, photos / "b.png", face_found=False)]
    early = {name: samples[0].row[name] for name in ("source_path", "source_sha256", "image_width", "image_height")}
    early |= {"box_x0": 0.0, "box_y0": 0.0, "box_x1": 40.0, "box_y1": 30.0, "detection_score": 0.5, "person_index": 2}
    late = reject_of(in_photo(3, photos / "b.png", 1), reason="blurred")
    early |= {"decision": "rejected", "reason": "box_too_small", "detail": "", "split": "", "duplicate_of": ""}
    out = write(tmp_path_factory.mktemp("set"), samples, [early, late], sheet=False)
    overlay(out, "v2", [{"key": samples[1].row["key"], "blur": 0.5, "weight": 2.5, "tags": "x"}])
    return out


def exported(out: Path) -> dict[str, Any]:
    """``labels.json``, after a look at the rules that readers of COCO rely on."""
    content = json.loads((out / "labels.json").read_text("utf-8"))
    images = {image["id"]: image for image in content["images"]}
    categories = {category["id"]: category for category in content["categories"]}
    assert [image["id"] for image in content["images"]] == list(range(1, len(images) + 1))
    assert [found["id"] for found in content["annotations"]] == list(range(1, len(content["annotations"]) + 1))
    points = len(categories[PERSON]["keypoints"])
    assert len(set(categories[PERSON]["keypoints"])) == points
    assert {number for edge in categories[PERSON]["skeleton"] for number in edge} <= set(range(1, points + 1))
    for found in content["annotations"]:
        image = images[found["image_id"]]
        assert found["category_id"] in categories
        assert min(found["bbox"][2:]) > 0
        assert found["area"] > 0
        if "keypoints" in found:
            assert len(found["keypoints"]) == 3 * points
            assert found["num_keypoints"] == sum(v > 0 for v in found["keypoints"][2::3])
        if "segmentation" in found:
            assert found["segmentation"]["size"] == [image["height"], image["width"]]
            assert sum(found["segmentation"]["counts"]) == image["height"] * image["width"]
    return content


def annotations(out: Path, category: int = PERSON) -> dict[str, dict[str, Any]]:
    """By key, or the photo and the number of a person that has none."""
    found = [a for a in exported(out)["annotations"] if a["category_id"] == category]
    return {a.get("key") or f"{a['source_path']}#{a['person_index']}": a for a in found}


def decoded(runs: dict[str, Any]) -> np.ndarray:
    """(H, W) bool."""
    values = np.arange(len(runs["counts"])) % 2 == 1
    return np.repeat(values, runs["counts"]).reshape(runs["size"], order="F")


@pytest.mark.parametrize("fill", [0, 1, 0.5])
def test_run_lengths_give_the_mask_again(fill: float) -> None:
    mask = np.random.default_rng(0).random((5, 7)) < fill
    runs = run_lengths(mask)
    np.testing.assert_array_equal(decoded(runs), mask)
    assert all(count > 0 for count in runs["counts"][1:])


def test_crops(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = export_coco(folder, out)
    assert (done.pictures, done.people, done.missing) == (2, 2, 0)
    images = {image["id"]: image for image in exported(out)["images"]}
    people, faces = annotations(out), annotations(out, FACE)
    for item in Dataset(folder):
        found = people[item.key]
        assert (out / "data" / images[found["image_id"]]["file_name"]).read_bytes() == item.read("jpg")
        mask = np.asarray(Image.open(io.BytesIO(item.read("mask.png")))) > 127
        np.testing.assert_array_equal(decoded(found["segmentation"]), mask)
        assert found["area"] == mask.sum()
        assert (found["split"], found["camera_yaw_deg"]) == ("train", item.row["camera_yaw_deg"])
        assert found["cam2world"] == item.row["cam2world"]
        assert found["bbox"] == [0, 5, 45, 59]  # from (-5, 5) to (45, 130) in the crop of 64
        assert found["keypoints"][:2] == [10, 10]
    one, two = (people[person(n).row["key"]] for n in (1, 2))
    assert faces[one["key"]]["bbox"] == [8, 4, 16, 16]
    assert two["key"] not in faces
    assert (two["blur"], two["weight"], two["tags_"]) == (0.5, 2.5, "x")
    assert "weight" not in one


def test_photos(folder: Path, photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = export_coco(folder, out, photos=photos)
    assert (done.pictures, done.people, done.missing) == (2, 4, 0)
    images = {Path(image["file_name"]).name: image for image in exported(out)["images"]}
    assert images["a.png"]["file_name"] == str(photos / "a.png")
    people = annotations(out)
    assert {(a["source_path"], a.get("reason")) for a in people.values() if a["decision"] == "rejected"} == {
        ("a.png", "box_too_small"),
        ("b.png", "blurred"),
    }
    first = people[person(1).row["key"]]
    assert (first["bbox"], first["decision"]) == ([90, 60, 100, 240], "kept")  # as far as the photo goes
    assert annotations(out, HEADSHOT)[first["key"]]["bbox"] == [100, 50, 128, 128]
    assert annotations(out, FACE)[first["key"]]["bbox"] == [116, 58, 32, 32]
    assert first["keypoints"][:2] == [120, 70]
    assert not list(out.rglob("*.jpg"))


def test_a_mask_covers_the_same_part_of_the_photo(folder: Path, photos: Path, tmp_path: Path) -> None:
    """A pixel of the crop is 2 × 2 pixels of the photo, from (100, 50) on."""
    export_coco(folder, tmp_path / "crops")
    export_coco(folder, tmp_path / "photos", photos=photos)
    key = person(1).row["key"]
    crop, photo = (decoded(annotations(tmp_path / kind)[key]["segmentation"]) for kind in ("crops", "photos"))
    larger = np.repeat(np.repeat(crop, 2, 0), 2, 1)
    part = photo[50 : 50 + len(larger), 100 : 100 + len(larger)]
    assert (part != larger).mean() < 0.02  # the edges, which are interpolated
    assert photo.sum() == pytest.approx(larger.sum(), rel=0.02)


@pytest.mark.parametrize("turn", [90, 180, 270])
def test_a_photo_that_was_turned_gets_the_labels_of_its_file(tmp_path: Path, turn: int) -> None:
    upright, key = np.random.default_rng(1).integers(0, 256, (300, 400, 3), np.uint8), person(1).row["key"]
    found, sizes = [], []
    for name, quarters, changes in (("upright", 0, {}), ("turned", turn // 90, {"photo_turn_deg": turn})):
        (tmp_path / name).mkdir()
        Image.fromarray(np.rot90(upright, -quarters)).save(tmp_path / name / "a.png")
        write(tmp_path / f"{name}-set", [in_photo(1, tmp_path / name / "a.png", **changes)], sheet=False)
        export_coco(tmp_path / f"{name}-set", tmp_path / f"{name}-out", photos=tmp_path / name)
        (image,) = exported(tmp_path / f"{name}-out")["images"]
        sizes.append((image["height"], image["width"]))
        found.append(annotations(tmp_path / f"{name}-out")[key])
    one, other = found
    assert sizes[1] == Image.open(tmp_path / "turned" / "a.png").size[::-1]
    mask = decoded(other["segmentation"])
    np.testing.assert_array_equal(np.rot90(mask, turn // 90), decoded(one["segmentation"]))
    points = [np.reshape(a["keypoints"], (-1, 3)) for a in found]
    back = from_turned(points[0][:, :2], turn, 400, 300)
    seen = points[0][:, 2] > 0
    np.testing.assert_allclose(points[1][seen, :2], back[seen], atol=0.02)
    x, y, width, height = one["bbox"]
    corners = from_turned([[x, y], [x + width, y + height]], turn, 400, 300)
    assert other["bbox"] == [*corners.min(0), *np.abs(np.subtract(*corners))]


def test_joints_are_where_the_camera_of_the_record_sees_them(folder: Path, photos: Path, tmp_path: Path) -> None:
    """The body's joints in the crop and in the photo are the same points."""
    export_coco(folder, tmp_path / "crops")
    export_coco(folder, tmp_path / "photos", photos=photos)
    key = person(1).row["key"]
    crop, photo = (np.reshape(annotations(tmp_path / kind)[key]["keypoints"], (-1, 3)) for kind in ("crops", "photos"))
    seen = crop[33:, 2] > 0
    assert seen.sum() > 10
    assert np.allclose((crop[33:, :2] * 2 + [100, 50])[seen], photo[33:, :2][seen], atol=0.02)
    np.testing.assert_array_equal(crop[:, 2], photo[:, 2])


@pytest.mark.parametrize(
    ("box", "people"),
    [
        ({"box_y0": 80.0, "box_y1": 80.0}, 1),
        ({"box_x0": 90.0, "box_x1": 90.004}, 1),
        ({"box_y0": 301.0, "box_y1": 340.0}, 1),
        ({"face_box": [8.0, 4.0, 8.0, 20.0]}, 2),
        ({"face_box": [-20.0, 4.0, -1.0, 20.0], "crop_to_source": [2.0, 0.0, 0.0, 0.0, 2.0, 50.0]}, 2),
    ],
    ids=["no height", "no width once rounded", "below the photo", "face of no width", "face beyond the photo"],
)
def test_boxes_without_an_area_are_left_out_and_counted(
    tmp_path: Path, photos: Path, box: dict[str, Any], people: int
) -> None:
    samples = [in_photo(1, photos / "a.png", **box), in_photo(2, photos / "b.png")]
    done = export_coco(write(tmp_path / "set", samples, [], sheet=False), tmp_path / "out", photos=photos)
    assert (done.degenerate, done.people, done.pictures) == (1, people, 2)
    exported(tmp_path / "out")


def test_what_was_never_measured_is_left_out(tmp_path: Path) -> None:
    nothing = {"keypoints_2d": [0.0] * 66, "keypoints_visibility": [0.0] * 33, "body_model": ""}
    export_coco(write(tmp_path / "set", [person(1, **BOX, **nothing, face_found=False)], sheet=False), tmp_path / "out")
    (found,) = annotations(tmp_path / "out").values()
    assert found["num_keypoints"] == 0
    assert not any(found["keypoints"])


def test_the_same_call_gives_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    export_coco(folder, tmp_path / "one")
    export_coco(folder, tmp_path / "two")
    assert files(tmp_path / "one") == files(tmp_path / "two")


def test_part_of_a_dataset_and_part_of_the_photos(folder: Path, photos: Path, tmp_path: Path) -> None:
    assert export_coco(folder, tmp_path / "part", where="source_path = 'a.png'").pictures == 1
    (tmp_path / "some").mkdir()
    (tmp_path / "some" / "renamed.png").write_bytes((photos / "b.png").read_bytes())
    done = export_coco(folder, tmp_path / "out", photos=tmp_path / "some")
    assert (done.pictures, done.missing) == (1, 1)


def test_what_cannot_be_done(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no samples to export"):
        export_coco(folder, tmp_path / "none", where="false")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    with pytest.raises(OutputError, match="already exists"):
        export_coco(folder, tmp_path / "full")
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["mine.txt"]
