"""Rows and files of predictions that cannot be used: each a sentence, and nothing half-written."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from predicted_files import jsonl, lp300w, people
from predicted_rows import EULER, axis_angle, head_in, key, noisy_heads, take
from scipy.spatial.transform import Rotation
from typer.testing import CliRunner

from phq.cli import app
from phq.curate.predictions.annotation import Predictions, annotate_from_predictions
from phq.dataset.overlays import write_overlay
from phq.dataset.reader import Dataset
from phq.errors import ConfigError, InputError


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


@pytest.mark.parametrize(
    ("fields", "kind", "convention", "unit"),
    [
        ({"yaw": 20, "pitch": 5, "roll": 0}, "headpose", "radians", "degrees"),
        ({"yaw": 0.1, "pitch": 0, "roll": -140}, "headpose", "phq,radians", "degrees"),
        ({"yaw": 0, "pitch": 9, "roll": 0}, "headpose", "openface", "degrees"),
        ({"rotation": [0, 40, 0]}, "headpose", "", "degrees"),
        ({"keypoints": np.full((17, 2), 240.0)}, "keypoints", "fractions", "pixels"),
    ],
)
def test_numbers_that_cannot_be_in_the_stated_unit_are_refused(
    fields: dict[str, Any], kind: str, convention: str, unit: str, dataset: Path, tmp_path: Path
) -> None:
    person = people(dataset)[0]
    with pytest.raises(InputError, match=f"these look like {unit}.*nothing was written"):
        take(dataset, jsonl(tmp_path / "x.jsonl", [key(person) | fields]), kind, convention)
    assert "new" not in Dataset(dataset).overlays


@pytest.mark.parametrize(("largest", "doubted"), [(3.0, True), (4.0, False)])
def test_degrees_that_could_all_be_radians_are_doubted(
    largest: float, doubted: bool, dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("phq.curate.predictions.annotation._Annotation.check_convention", lambda _: None)
    rows = [key(person) | {"yaw": largest, "pitch": 0, "roll": -0.1} for person in people(dataset)]
    said: list[str] = []
    stated = Predictions(jsonl(tmp_path / "x.jsonl", rows), "headpose", "whenet")
    annotate_from_predictions(dataset, "new", stated, notify=said.append)
    assert any("within ±3.00°: if these are radians" in line for line in said) == doubted


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


def test_options_of_predictions_are_refused_alone_and_beside_networks(dataset: Path) -> None:
    words = ["annotate", str(dataset), "--name", "x"]
    for more in (
        ["--fuse"],
        ["--predictions", "a.npz"],
        ["--predictions", "a.npz", "--as", "smpl", "--groups", "pose"],
    ):
        with pytest.raises(ConfigError, match="--predictions"):
            CliRunner().invoke(app, [*words, *more], catch_exceptions=False)


def test_compressed_text_is_read_as_the_text(dataset: Path, tmp_path: Path) -> None:
    file, _ = noisy_heads("whenet.jsonl", dataset, tmp_path)
    packed = tmp_path / "whenet.jsonl.gz"
    whole = gzip.compress(file.read_bytes())
    for damaged in (whole[:-40], whole[:60] + bytes(8) + whole[68:], file.read_bytes()):
        packed.write_bytes(damaged)
        with pytest.raises(InputError, match=r"whenet\.jsonl\.gz cannot be read"):
            take(dataset, packed, "headpose", "whenet")
    packed.write_bytes(whole)
    assert take(dataset, packed, "headpose", "whenet").matched == 16


def test_a_name_that_is_there_twice_is_refused(dataset: Path, tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"key": "x", "yaw": 1, "yaw": 2, "pitch": 0, "roll": 0}\n')
    (tmp_path / "a.csv").write_text("key,yaw, yaw,pitch,roll\nx,1,2,0,0\n")
    columns = [pa.array([v]) for v in ("x", 1.0, 2.0, 0.0, 0.0)]
    pq.write_table(pa.Table.from_arrays(columns, names=["key", "yaw", "yaw", "pitch", "roll"]), tmp_path / "a.parquet")
    for name in ("a.jsonl", "a.csv", "a.parquet"):
        with pytest.raises(InputError, match="yaw is there twice"):
            take(dataset, tmp_path / name, "headpose", "whenet")


@pytest.mark.parametrize("name", ["x.jsonl", "x.csv", "x.npz", "x.parquet", "x.jsonl.gz", "x"])
def test_an_empty_file_or_folder_is_refused(name: str, dataset: Path, tmp_path: Path) -> None:
    if name == "x":
        (tmp_path / name).mkdir()
    else:
        (tmp_path / name).write_bytes(b"")
    with pytest.raises(InputError, match=r"predictions .*x"):
        take(dataset, tmp_path / name, "headpose", "whenet")
    assert "new" not in Dataset(dataset).overlays


def test_axis_angle_in_degrees_is_named(dataset: Path, tmp_path: Path) -> None:
    rows = [axis_angle(person, person.head(person.photo)) for person in people(dataset)]
    rows = [row | {"rotation": np.degrees(row["rotation"])} for row in rows]
    with pytest.raises(
        InputError, match=r"longer than a whole turn; axis-angle is taken in radians, .*degrees; nothing was"
    ):
        take(dataset, jsonl(tmp_path / "d.jsonl", rows), "headpose", "full-image")


@pytest.mark.parametrize(("numbers", "sentence"), [(4, "4 numbers; 3"), (12, "12 numbers; 3"), (6, "6 numbers; 3")])
def test_rotations_in_other_forms_are_named(numbers: int, sentence: str, dataset: Path, tmp_path: Path) -> None:
    rows = [key(people(dataset)[0]) | {"rotation": np.ones(numbers)}]
    with pytest.raises(InputError, match=rf"rotation has {sentence} \(axis-angle\) or 9 \(matrices\) are wanted"):
        take(dataset, jsonl(tmp_path / "q.jsonl", rows), "headpose", "full-image")


@pytest.mark.parametrize("form", ["vectors", "flat matrices", "matrices"])
def test_an_npz_of_rotations_has_a_row_along_the_first_axis(form: str, dataset: Path, tmp_path: Path) -> None:
    everyone = people(dataset)
    true = np.array([person.head(person.crop) for person in everyone])
    shapes = {"vectors": Rotation.from_matrix(true).as_rotvec(), "flat matrices": true.reshape(-1, 9), "matrices": true}
    np.savez(tmp_path / "r.npz", key=[person.row["key"] for person in everyone], rotation=shapes[form])
    assert take(dataset, tmp_path / "r.npz", "headpose", "headshot").matched == 16


def test_a_renamed_photo_is_found_by_its_bytes_and_so_is_every_copy(dataset: Path, tmp_path: Path) -> None:
    rows = [axis_angle(person, person.head(person.photo)) for person in people(dataset)]
    renamed = [row | {"photo": "renamed.jpg"} for row in rows]
    assert take(dataset, jsonl(tmp_path / "r.jsonl", renamed), "headpose", "full-image").matched == 16
    first, *others = (people(dataset)[number].row for number in (0, 2, 3))
    boxes = {name: first[name] for name in ("box_x0", "box_y0", "box_x1", "box_y1")}
    copies = [{"key": row["key"], "source_sha256": first["source_sha256"]} for row in others]
    copies = [copies[0] | boxes, copies[1] | dict.fromkeys(boxes, 0.0)]
    write_overlay(dataset, "copied", copies, ["source_sha256", *boxes], {"command": "test"})
    file = Predictions(jsonl(tmp_path / "c.jsonl", rows[:1]), "headpose", "full-image")
    assert annotate_from_predictions(dataset, "copies", file).matched == 2


def test_a_value_that_is_no_number_or_not_finite_leaves_its_row_out(dataset: Path, tmp_path: Path) -> None:
    everyone = people(dataset)
    rows = [key(p) | dict(zip(EULER, lp300w(head_in(p, "straight")), strict=True)) for p in everyone]
    lines = [json.dumps(row) for row in rows]
    lines[0] = lines[0].replace('"yaw": ', '"yaw": NaN, "sigma_deg": ')
    rows[1] |= {"yaw": "left"}
    rows[2] |= {"yaw": None}
    lines[1:3] = [json.dumps(row) for row in rows[1:3]]
    (tmp_path / "n.jsonl").write_text("\n".join(lines))
    done = take(dataset, tmp_path / "n.jsonl", "headpose", "whenet")
    why = {left.where: left.why for left in done.left}
    assert done.matched == 13
    assert why["line 1"] == "yaw is not finite"
    assert why["line 2"] == "yaw is not a list of numbers, or its rows differ in length"
    assert why["line 3"] == "it has no rotation, and no yaw (all three angles are needed)"


@pytest.mark.parametrize("wrong", [{"mode": "merge"}, {"sigma": 0.0}, {"sigma": float("nan")}])
def test_a_mode_or_sigma_that_means_nothing_is_refused(wrong: dict[str, object], dataset: Path) -> None:
    with pytest.raises(ConfigError, match=r"merge|sigma"):
        take(dataset, Path("none.npz"), "headpose", "whenet", **wrong)
