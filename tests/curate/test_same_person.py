"""Whoever is on a photo is found in a dataset by face, picture and scene, and removed when somebody agrees."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from bundled_photos import FOLDER, copied
from curated_datasets import overlay
from typer.testing import CliRunner

from phq.building.build import build
from phq.cli import app
from phq.curate.same_person import _person, find_person, lines
from phq.dataset.reader import Dataset
from phq.dataset.tar import STORAGE
from phq.errors import ConfigError, InputError

PHOTOS = ("obama", "biden", "astronaut", "demo_f130")
OTHER = FOLDER / "face_recognition-1.3.0__obama2.jpg"
"""A photo of somebody who is in the dataset by another photo."""
SEEN: dict[tuple[str, int | None], Any] = {}
"""What the networks said of each photo."""
LEAST = 0.55
"""Cosine between that of the two photos and that of anybody else here."""
TWO = FOLDER / "sports2d-0.8.34__demo_f130.jpg"


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("people")
    photos = copied(PHOTOS, folder / "photos")
    return build(photos, folder / "set", preset="everything", size=128, fast=True, workers=1).out


@pytest.fixture(autouse=True)
def each_photo_is_looked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    def person(photo: Path, config: Any, number: int | None) -> Any:
        asked = photo.name, number
        if asked not in SEEN:
            SEEN[asked] = _person(photo, config, number)
        return SEEN[asked]

    monkeypatch.setattr("phq.curate.same_person._person", person)


@pytest.fixture
def dataset(original: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(original, tmp_path / "set"))


def key_of(dataset: Path, name: str) -> str:
    table = Dataset(dataset).columns(["key", "source_path"]).to_pylist()
    (key,) = [row["key"] for row in table if row["source_path"].endswith(f"{name}.jpg")]
    return str(key)


def why(dataset: Path) -> dict[str, str]:
    return {one.key: one.why for one in find_person(dataset, OTHER, least=LEAST).sure}


def call(*words: object) -> tuple[int, str]:
    done = CliRunner().invoke(app, [str(word) for word in words])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, done.stdout


def test_a_face_is_found_though_the_dataset_stores_no_embedding(original: Path) -> None:
    (found,) = find_person(original, OTHER, least=LEAST).sure
    assert (found.key, found.why) == (key_of(original, "obama"), "same face")
    assert found.likeness is not None
    assert LEAST <= found.likeness < 1
    assert found.bits > 8
    assert found.key in "\n".join(lines(find_person(original, OTHER, least=LEAST)))
    assert find_person(original, OTHER, least=0.99).alike == ()


def test_a_similar_face_is_listed_for_somebody_to_look_at(original: Path) -> None:
    found = find_person(original, OTHER, least=0.65)
    assert found.alike[0].key == key_of(original, "obama")
    assert {(one.why, one.sure) for one in found.alike} == {("similar face", False)}
    assert re.search(r"below 0\.65: .*--least COSINE", "\n".join(lines(found)))


@pytest.mark.parametrize("yes", [(), ("--yes",)])
def test_similar_faces_that_stay_are_1(dataset: Path, yes: tuple[str, ...]) -> None:
    key = key_of(dataset, "obama")
    code, text = call("redact", dataset, "--like", OTHER, "--least", 0.65, *yes)
    assert (code, key in Dataset(dataset), "nothing was removed" in text) == (1, True, True)


def test_similar_faces_beside_removed_ones_are_1(dataset: Path) -> None:
    likeness = {one.key: one.likeness for one in find_person(dataset, OTHER, least=0.1).alike}
    obama, biden = key_of(dataset, "obama"), key_of(dataset, "biden")
    code, text = call("redact", dataset, "--like", OTHER, "--least", (likeness[biden] or 0) + 0.05, "--yes")
    assert (code, obama in Dataset(dataset), biden in Dataset(dataset)) == (1, False, True)
    assert "similar faces that stay, below 0." in text
    assert biden in text.splitlines()[-1]


def rejects(dataset: Path, rows: list[dict[str, Any]]) -> None:
    """Put rejects into a dataset: rows of the manifest with other fields, without stored bytes."""
    schema = pq.read_schema(dataset / "rejects.parquet")
    like = pq.read_table(dataset / "manifest.parquet").to_pylist()[0]
    blank = dict.fromkeys(STORAGE[1:]) | {"shard": "", "decision": "rejected", "reason": "blurred"}
    pq.write_table(pa.Table.from_pylist([like | blank | row for row in rows], schema), dataset / "rejects.parquet")


def test_rejects_are_searched_and_what_cannot_be_compared_is_said(dataset: Path) -> None:
    obama, photo = key_of(dataset, "obama"), hashlib.sha256(OTHER.read_bytes()).hexdigest()
    copy = dict(Dataset(dataset)[obama].row) | {"key": "0" * 16, "source_path": "copy.jpg", "source_sha256": "1" * 64}
    copy |= dict.fromkeys(STORAGE[1:]) | {"shard": ""}
    whole = {"key": None, "source_path": "again.jpg", "source_sha256": photo, "phash": None, "face_found": None}
    rejects(dataset, [copy, whole])
    found = find_person(dataset, FOLDER / "face_recognition-1.3.0__obama.jpg")
    assert {(one.key, one.why) for one in found.sure} == {(obama, "same photo"), ("0" * 16, "same picture")}
    assert (found.faceless, found.uncompared, found.of_photo) == (1, 1, 0)
    code, text = call("redact", dataset, "--like", OTHER, "--least", LEAST, "--yes")
    assert code == 1
    assert "have a face but neither" in text
    assert "1 people were rejected before they were cropped" in text
    assert "1 records of this very photo have no key: --source PHOTO" in text


def test_the_photo_itself_is_surest(original: Path) -> None:
    found = find_person(original, FOLDER / "face_recognition-1.3.0__obama.jpg").alike[0]
    assert (found.key, found.why) == (key_of(original, "obama"), "same photo")


def test_of_several_people_one_must_be_named(original: Path) -> None:
    with pytest.raises(InputError, match="shows 2 people: name one with --person"):
        find_person(original, TWO)
    (found,) = find_person(original, TWO, person=1).sure
    assert Dataset(original)[found.key].sample.person_index == 1
    with pytest.raises(InputError, match="has no person 2; it has 0, 1"):
        find_person(original, TWO, person=2)


def test_views_without_a_face_are_found_by_what_the_dataset_groups(dataset: Path) -> None:
    obama, biden = key_of(dataset, "obama"), key_of(dataset, "biden")
    overlay(dataset, "scenes", [{"key": key, "scene_group": obama} for key in (obama, biden)])
    assert why(dataset) == {obama: "same face", biden: "same scene"}
    overlay(dataset, "names", [{"key": key, "scene_group": "", "identity": "B. O."} for key in (obama, biden)])
    assert why(dataset) == {obama: "same face", biden: "same name"}


def test_what_is_no_photo_of_a_person_is_an_error(original: Path, tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"no picture")
    with pytest.raises(InputError, match="cannot be compared"):
        find_person(original, tmp_path / "a.jpg")


def test_nothing_is_removed_before_somebody_agrees(dataset: Path, tmp_path: Path) -> None:
    obama, page = key_of(dataset, "obama"), tmp_path / "found.html"
    with pytest.raises(ConfigError, match="nothing was removed"):  # no terminal: nobody can be asked
        call("redact", dataset, "--like", OTHER, "--least", LEAST, "--pictures", page)
    assert page.read_text("utf-8").count("data:image/jpeg") >= 1
    assert obama in Dataset(dataset)
    code, text = call("redact", dataset, "--like", OTHER, "--least", LEAST, "--yes", "--json", "-")
    result = json.loads(text)
    assert code == 1  # the bound is so low that a stranger is similar, and stays
    assert (result["alike"][0]["key"], result["keys"]) == (obama, [obama])
    assert obama not in Dataset(dataset)
    assert "no sample shows this person" in call("redact", dataset, "--like", OTHER, "--yes")[1]


@pytest.mark.parametrize(("answer", "left"), [(True, False), (False, True)])
def test_on_a_terminal_it_is_asked(dataset: Path, answer: bool, left: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("phq.commands.curate._is_terminal", lambda: True)
    monkeypatch.setattr("typer.confirm", lambda question, err: answer and "these 1 samples" in question)
    key = key_of(dataset, "obama")
    call("redact", dataset, "--like", OTHER, "--least", LEAST)
    assert (key in Dataset(dataset)) == left


@pytest.mark.parametrize("words", [("KEY", "--like", OTHER), ("KEY", "--yes"), ("KEY", "--least", "0.5")])
def test_options_that_do_not_belong_together_are_refused(original: Path, words: tuple[object, ...]) -> None:
    with pytest.raises(ConfigError, match="--like"):
        call("redact", original, *words)
