"""The folder for FiftyOne, against the layout of `fiftyone.types.FiftyOneDataset` as FiftyOne 1.x writes it."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from curated_datasets import files, overlay, person, reject_of, write
from PIL import Image

from phq.dataset.reader import Dataset
from phq.errors import InputError, OutputError
from phq.exchange.fiftyone import export_fiftyone

FIELD = {"name", "ftype", "embedded_doc_type", "subfield", "fields", "db_field", "description", "info", "read_only"}
LABELS = ("Detections", "Keypoints", "Classification", "Segmentation")


def in_photo(number: int, photo: Path, index: int = 0, **changes: Any) -> Any:
    """A sample whose stored square is that from (100, 50) with side 128 in a photo of 400 × 300."""
    facts = {
        "source_sha256": hashlib.sha256(photo.read_bytes()).hexdigest(), "source_path": photo.name,
        "person_index": index, "image_width": 400, "image_height": 300,
        "crop_to_source": [2.0, 0.0, 100.0, 0.0, 2.0, 50.0],
        "box_x0": 90.0, "box_y0": 60.0, "box_x1": 190.0, "box_y1": 310.0,
        "keypoints_2d": [120.0, 70.0] * 33, "face_found": True, "face_box": [8.0, 4.0, 24.0, 20.0],
    }  # fmt: skip
    return person(number, **(facts | changes))


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    for name, colour in (("a.png", 10), ("b.png", 20)):
        Image.new("RGB", (400, 300), (colour,) * 3).save(folder / name)
    return folder


@pytest.fixture(scope="module")
def photographed(tmp_path_factory: pytest.TempPathFactory, photos: Path) -> Path:
    samples = [in_photo(1, photos / "a.png"), in_photo(2, photos / "b.png", face_found=False)]
    early = {name: samples[0].row[name] for name in ("source_path", "source_sha256", "image_width", "image_height")}
    early |= {"box_x0": 0.0, "box_y0": 0.0, "box_x1": 40.0, "box_y1": 30.0, "detection_score": 0.5, "person_index": 2}
    late = reject_of(in_photo(3, photos / "b.png", 1), reason="blurred")
    early |= {"decision": "rejected", "reason": "box_too_small", "detail": "", "split": "", "duplicate_of": ""}
    out = write(tmp_path_factory.mktemp("set"), samples, [early, late], sheet=False)
    overlay(out, "v2", [{"key": samples[1].row["key"], "blur": 0.5, "weight": 2.5, "tags": "x"}])
    return out


def exported(out: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    return tuple(json.loads((out / name).read_text("utf-8")) for name in ("metadata.json", "samples.json"))  # type: ignore[return-value]


def labels_in(value: Any) -> list[dict[str, Any]]:
    """Every single label below a value."""
    if isinstance(value, list):
        return [label for entry in value for label in labels_in(entry)]
    if not isinstance(value, dict):
        return []
    return ([value] if "_cls" in value and "_id" in value else []) + [x for v in value.values() for x in labels_in(v)]


def check_documented(out: Path) -> None:
    """What the importer relies on."""
    metadata, content = exported(out)
    assert metadata["media_type"] == "image"
    assert re.fullmatch(r"\d+\.\d+\.\d+", metadata["version"])
    declared = {field["name"]: field for field in metadata["sample_fields"]}
    for field in metadata["sample_fields"]:
        assert field.keys() == FIELD
        assert field["ftype"].startswith("fiftyone.core.fields.")
        assert field["db_field"] == ("_id" if field["name"] == "id" else field["name"])
    ids = []
    for sample in content["samples"]:
        assert {"_id", "filepath", "tags", "_media_type", "_rand", "metadata"} <= sample.keys()
        assert sample.keys() <= declared.keys() | {"_id"}
        assert (out / sample["filepath"]).is_file()
        for label in labels_in(sample):
            ids.append(label["_id"]["$oid"])
            if "bounding_box" in label:
                assert len(label["bounding_box"]) == 4
                assert min(label["bounding_box"][2:]) > 0
            if "mask_path" in label:
                assert (out / label["mask_path"]).is_file()
        for name, field in declared.items():
            if field["embedded_doc_type"] in {f"fiftyone.core.labels.{label}" for label in LABELS}:
                assert sample[name]["_cls"] == field["embedded_doc_type"].rsplit(".")[-1]
    every = [*ids, *(sample["_id"]["$oid"] for sample in content["samples"])]
    assert all(re.fullmatch("[0-9a-f]{24}", number) for number in every)
    assert len(set(every)) == len(every)
    for name, skeleton in metadata["skeletons"].items():
        for sample in content["samples"]:
            for found in sample[name]["keypoints"]:
                assert len(found["points"]) == len(found["confidence"]) == len(skeleton["labels"])
        assert max(max(edge) for edge in skeleton["edges"]) < len(skeleton["labels"])


def test_crops(photographed: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = export_fiftyone(photographed, out)
    assert (done.samples, done.people, done.missing) == (2, 2, 0)
    check_documented(out)
    metadata, content = exported(out)
    by_key = {sample["key"]: sample for sample in content["samples"]}
    dataset = Dataset(photographed)
    for item in dataset:
        sample = by_key[item.key]
        assert (out / sample["filepath"]).read_bytes() == item.read("jpg")
        assert (out / sample["mask"]["mask_path"]).read_bytes() == item.read("mask.png")
        assert (sample["tags"], sample["camera_yaw_deg"]) == (["train"], item.row["camera_yaw_deg"])
        assert sample["cam2world"] == item.row["cam2world"]
        box = sample["person"]["detections"][0]["bounding_box"]  # from (-5, 5) to (45, 130) in the crop of 64
        assert box == pytest.approx([0, 5 / 64, 45 / 64, 59 / 64], abs=1e-6)
        assert np.allclose(sample["landmarks"]["keypoints"][0]["points"], [10 / 64, 10 / 64])
    one, two = (by_key[person(n).row["key"]] for n in (1, 2))
    assert one["face"]["detections"][0]["bounding_box"] == [0.125, 0.0625, 0.25, 0.25]
    assert two["face"]["detections"] == []
    assert (two["blur"], two["weight"], two["tags_"]) == (0.5, 2.5, "x")
    assert "weight" not in one
    assert metadata["default_mask_targets"] == {"255": "person"}


def test_photos(photographed: Path, photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = export_fiftyone(photographed, out, photos=photos)
    assert (done.samples, done.people, done.missing) == (2, 4, 0)
    check_documented(out)
    samples = {Path(sample["filepath"]).name: sample for sample in exported(out)[1]["samples"]}
    assert samples["a.png"]["filepath"] == str(photos / "a.png")
    assert [found["label"] for found in samples["a.png"]["people"]["detections"]] == ["person", "box_too_small"]
    assert [found["label"] for found in samples["b.png"]["people"]["detections"]] == ["person", "blurred"]
    first = samples["a.png"]["people"]["detections"][0]
    assert first["bounding_box"] == pytest.approx([90 / 400, 60 / 300, 100 / 400, 240 / 300], abs=1e-6)
    assert (first["key"], first["decision"]) == (person(1).row["key"], "kept")
    (head,) = samples["a.png"]["headshots"]["detections"]
    assert head["bounding_box"] == pytest.approx([100 / 400, 50 / 300, 128 / 400, 128 / 300], abs=1e-6)
    assert head["mask_path"].startswith("fields/headshots.detections/")
    assert samples["a.png"]["face"]["detections"][0]["bounding_box"] == pytest.approx(
        [116 / 400, 58 / 300, 32 / 400, 32 / 300], abs=1e-6
    )
    assert np.allclose(samples["a.png"]["landmarks"]["keypoints"][0]["points"], [120 / 400, 70 / 300])
    assert not list(out.rglob("*.jpg"))


def test_joints_are_where_the_camera_of_the_record_sees_them(photographed: Path, photos: Path, tmp_path: Path) -> None:
    """The body's joints in the crop and in the photo are the same points."""
    export_fiftyone(photographed, tmp_path / "crops")
    export_fiftyone(photographed, tmp_path / "photos", photos=photos)
    on_crop = next(s for s in exported(tmp_path / "crops")[1]["samples"] if s["key"] == person(1).row["key"])
    on_photo = next(s for s in exported(tmp_path / "photos")[1]["samples"] if s["source_path"] == "a.png")
    a = np.array(on_crop["joints"]["keypoints"][0]["points"])
    b = np.array(on_photo["joints"]["keypoints"][0]["points"])
    there = np.isfinite(a).all(1)
    assert np.allclose((a * 128 + [100, 50])[there], (b * [400, 300])[there], atol=1e-2, rtol=1e-4)


def test_what_was_never_measured_is_left_out(tmp_path: Path) -> None:
    nothing = {"keypoints_2d": [0.0] * 66, "keypoints_visibility": [0.0] * 33, "body_model": ""}
    export_fiftyone(write(tmp_path / "set", [person(1, **nothing)], sheet=False), tmp_path / "out")
    (sample,) = exported(tmp_path / "out")[1]["samples"]
    assert sample["landmarks"]["keypoints"] == sample["joints"]["keypoints"] == []


def test_the_same_call_gives_the_same_bytes(photographed: Path, tmp_path: Path) -> None:
    export_fiftyone(photographed, tmp_path / "one")
    export_fiftyone(photographed, tmp_path / "two")
    assert files(tmp_path / "one") == files(tmp_path / "two")


def test_part_of_a_dataset_and_part_of_the_photos(photographed: Path, photos: Path, tmp_path: Path) -> None:
    assert export_fiftyone(photographed, tmp_path / "part", where="source_path = 'a.png'").samples == 1
    (tmp_path / "some").mkdir()
    (tmp_path / "some" / "renamed.png").write_bytes((photos / "b.png").read_bytes())
    done = export_fiftyone(photographed, tmp_path / "out", photos=tmp_path / "some")
    assert (done.samples, done.missing) == (1, 1)


def test_what_cannot_be_done(photographed: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no samples to export"):
        export_fiftyone(photographed, tmp_path / "none", where="false")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    with pytest.raises(OutputError, match="already exists"):
        export_fiftyone(photographed, tmp_path / "full")
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["mine.txt"]
