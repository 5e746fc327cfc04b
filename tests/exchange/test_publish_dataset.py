"""What is published is whole, names nobody who was removed, and is not published while something stands in the way."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from curated_datasets import files, overlay, person, traces, write
from typer.testing import CliRunner

from phq.building.contact_sheet import TILE
from phq.cli import app
from phq.curate.redact import redact
from phq.curate.verify.verify import verify
from phq.dataset.preview import preview_keys
from phq.dataset.reader import Dataset
from phq.dataset.tombstones import read_tombstones
from phq.errors import ConfigError, MissingExtraError, OutputError
from phq.exchange.publish.datasheet import BLANK, SECTIONS, answers_in, open_questions
from phq.exchange.publish.folder import FolderTarget
from phq.exchange.publish.hub import FILES, commits
from phq.exchange.publish.publishing import Published, lines, publish

GOOD = {"licence": "CC0-1.0", "author": "Ann", "source": "https://x.org/1", "consent": "yes"}
DAY = "2026-01-02"


def people(**changes: Any) -> list[Any]:
    return [*(person(n, **{**GOOD, **changes}) for n in range(9)), person(9, "val", **GOOD)]


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("publish") / "set", people())


@pytest.fixture(autouse=True)
def plain_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody's body on the contact sheets, which is a third of the time of a copy."""
    tile = np.zeros((TILE, 2 * TILE, 3), np.uint8)
    monkeypatch.setattr("phq.building.contact_sheet.pair", lambda *_: tile)


@pytest.fixture
def dataset(original: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(original, tmp_path / "set"))


def copy_of(dataset: Path, out: Path, **options: Any) -> Published:
    return publish(dataset, str(out), workers=1, **{"apply": True, "preview": 4, **options})


def test_without_apply_nothing_is_written(original: Path, tmp_path: Path) -> None:
    before = files(original)
    done = publish(original, str(tmp_path / "copy"), workers=1)
    assert not (tmp_path / "copy").exists()
    assert files(original) == before
    assert set(done.new) == set(done.files)
    assert not done.blocked
    text = list(lines(done))
    assert text[-1] == "dry run, nothing was published; --apply does it"
    assert any("README.md" in line for line in text)


def test_a_copy_is_a_sound_dataset_with_all_that_belongs_to_it(original: Path, tmp_path: Path) -> None:
    before = files(original)
    done = copy_of(original, tmp_path / "copy")
    assert files(original) == before
    assert verify(tmp_path / "copy", workers=1).violations == []
    assert {name: path.stat().st_size for name in done.files for path in [tmp_path / "copy" / name]} == done.files
    copied = Dataset(tmp_path / "copy")
    assert copied.keys == Dataset(original).keys
    shown = preview_keys(tmp_path / "copy" / "preview" / "preview.tar")
    assert len(shown) == 4
    assert set(shown) <= set(copied.keys)
    assert "Nothing was removed" in (tmp_path / "copy" / "TAKEDOWNS.md").read_text("utf-8")
    again = copy_of(original, tmp_path / "copy")
    assert (again.new, again.stale) == ((), ())


def test_both_configurations_load(original: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "hf" / "datasets")
    copy_of(original, tmp_path / "copy")
    where = str(tmp_path / "copy")
    assert datasets.get_dataset_config_names(where) == ["default", "preview"]
    assert {name: split.num_rows for name, split in datasets.load_dataset(where).items()} == {"train": 9, "val": 1}
    shown = datasets.load_dataset(where, "preview")["preview"]
    assert shown.num_rows == 4
    assert shown[0]["jpg"].size == (64, 64)
    assert shown[0]["json"]["licence"] == "CC0-1.0"


def test_what_is_not_of_the_format_stays_at_home(dataset: Path, tmp_path: Path) -> None:
    for name in ("notes.txt", "report.html", "reviews/marks.jsonl", ".phq-inputs.parquet", "overlays/old.parquet"):
        (dataset / name).parent.mkdir(exist_ok=True)
        (dataset / name).write_bytes(b"")
    (dataset / "overlays" / "old.parquet").unlink()
    done = copy_of(dataset, tmp_path / "copy")
    assert not {"notes.txt", "report.html", "reviews/marks.jsonl", ".phq-inputs.parquet"} & set(done.files)


def found(folder: Path, **options: Any) -> dict[str, bool]:
    done = publish(folder, str(folder.parent / "copy"), workers=1, **options)
    return {finding.name: finding.blocks for finding in done.findings}


def test_samples_without_a_licence_stand_in_the_way_until_they_are_accepted(tmp_path: Path) -> None:
    folder = write(tmp_path / "set", people(licence=""))
    assert found(folder) == {"licences": True}
    assert found(folder, accept=["licences"]) == {"licences": False}
    with pytest.raises(ConfigError, match="cannot be accepted"):
        found(folder, accept=["refused"])


def test_consent_is_looked_at(tmp_path: Path) -> None:
    assert found(write(tmp_path / "a", people(consent="no"))) == {"refused": True}
    assert found(write(tmp_path / "b", people(consent=""))) == {"consent": False}
    assert found(write(tmp_path / "c", people(consent="limited"))) == {"consent": False}


def test_all_obstacles_are_said_at_once(tmp_path: Path) -> None:
    both = [person(n, split, **GOOD | {"identity": "A", "consent": "no"}) for n, split in enumerate(("train", "val"))]
    folder = write(tmp_path / "set", both)
    assert found(folder) == {"verify": True, "refused": True, "identity": False}
    (folder / "run.json").write_text("{")  # what it says of people is not known then
    assert found(folder) == {"verify": True}


def test_names_and_faces_are_said(tmp_path: Path) -> None:
    folder = write(tmp_path / "one", [person(1, **GOOD, identity="Anna", face_network="faceres:0")])
    assert found(folder) == {"identity": False, "faces": False}


def test_pictures_that_were_rejected_later_stand_in_the_way(dataset: Path) -> None:
    key = Dataset(dataset).keys[0]
    overlay(dataset, "mine", [{"key": key, "decision": "rejected", "reason": "no_consent"}])
    assert found(dataset) == {"rejected": True, "overlays": False}


def test_a_damaged_dataset_is_not_published(dataset: Path, tmp_path: Path) -> None:
    (dataset / "schema.json").write_text("{}")
    done = CliRunner().invoke(app, ["publish", str(dataset), "--to", str(tmp_path / "copy"), "--apply"])
    assert done.exit_code == 1
    assert "stop  verify: 1 schema_wrong" in done.stdout
    assert not (tmp_path / "copy").exists()


def test_what_was_redacted_is_nowhere_in_the_copy(dataset: Path, tmp_path: Path) -> None:
    copy_of(dataset, tmp_path / "copy", preview=10)
    gone = Dataset(dataset)[0]
    needles = {"key": gone.key.encode(), "path": gone.row["source_path"].encode(), "picture": gone.read("jpg")}
    assert traces(tmp_path / "copy", needles)
    redact(dataset, [gone.key], reason="Ann asked", name_in_reason=True, day=DAY)
    done = copy_of(dataset, tmp_path / "copy", preview=10)
    assert done.stale
    assert traces(tmp_path / "copy", needles) == []
    assert verify(tmp_path / "copy", workers=1).violations == []
    assert f"| {DAY} | 1 | 0 |" in (tmp_path / "copy" / "TAKEDOWNS.md").read_text("utf-8")
    assert len(read_tombstones(tmp_path / "copy")) == 1


def test_a_reason_with_a_name_is_not_published(tmp_path: Path) -> None:
    johanna = person(0, **GOOD, identity="Johanna")
    dataset = write(tmp_path / "set", [johanna, *people()[1:]])
    redact(dataset, [johanna.row["key"]], reason="for Johanna", name_in_reason=True, day=DAY)
    copy_of(dataset, tmp_path / "copy")
    assert [(stone.reason, stone.named) for stone in read_tombstones(tmp_path / "copy")] == [("", False)]
    assert traces(tmp_path / "copy", {"name": b"Johanna"}) == []
    assert "not stated here" in (tmp_path / "copy" / "TAKEDOWNS.md").read_text("utf-8")


def test_a_redaction_in_the_copy_itself_leaves_it_sound(original: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    copy_of(original, copy, preview=10)
    key = Dataset(copy).keys[3]
    redact(copy, [key], day=DAY)
    assert verify(copy, workers=1).violations == []
    assert len(preview_keys(copy / "preview" / "preview.tar")) == 9
    assert traces(copy, {"key": key.encode()}) == []


def test_answers_of_the_maintainer_are_kept(dataset: Path, tmp_path: Path) -> None:
    first = copy_of(dataset, tmp_path / "copy")
    sheet = tmp_path / "copy" / "DATASHEET.md"
    text = sheet.read_text("utf-8")
    assert all(f"### {question.text}\n" in text for questions in SECTIONS.values() for question in questions)
    assert first.open_questions == open_questions(text) == text.count(BLANK) > 10
    mine = text.replace(f"Why was the dataset made?\n\n{BLANK}", "Why was the dataset made?\n\nFor fun.\n\n* Twice.")
    sheet.write_text(mine, "utf-8")
    redact(dataset, [Dataset(dataset).keys[0]], day=DAY)
    done = copy_of(dataset, tmp_path / "copy")
    assert done.open_questions == first.open_questions - 1
    assert answers_in(sheet.read_text("utf-8")) == {"Why was the dataset made?": "For fun.\n\n* Twice."}
    assert "> 9 samples of 9 photos." in sheet.read_text("utf-8")
    shutil.copyfile(sheet, dataset / "DATASHEET.md")  # the dataset's own sheet counts first
    (dataset / "DATASHEET.md").write_text(mine.replace("For fun", "For work"), "utf-8")
    copy_of(dataset, tmp_path / "copy")
    assert "For work." in sheet.read_text("utf-8")


def test_an_interrupted_copy_is_continued(original: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[str] = []
    whole = FolderTarget._write

    def stop(target: FolderTarget, file: Any) -> None:
        if len(written) == 5:
            raise KeyboardInterrupt
        written.append(file.name)
        whole(target, file)

    monkeypatch.setattr(FolderTarget, "_write", stop)
    with pytest.raises(KeyboardInterrupt):
        copy_of(original, tmp_path / "copy")
    assert not (tmp_path / "copy" / "manifest.parquet").exists()
    monkeypatch.setattr(FolderTarget, "_write", whole)
    done = copy_of(original, tmp_path / "copy")
    assert not set(done.new) & set(written)
    assert verify(tmp_path / "copy", workers=1).violations == []


def test_a_folder_with_anything_else_is_left_alone(dataset: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "a.txt").write_text("a")
    for to in (tmp_path / "mine", dataset, dataset / "in", tmp_path, tmp_path / "mine" / "a.txt"):
        with pytest.raises(OutputError):
            copy_of(dataset, to)
    with pytest.raises(ConfigError, match="hf:USER/NAME"):
        publish(dataset, "s3://bucket/set")


def test_a_full_disk_is_said_before_anything_is_written(
    original: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: shutil._ntuple_diskusage(10, 10, 10))  # type: ignore[attr-defined]
    with pytest.raises(OutputError, match="has 10 B left; nothing was written"):
        copy_of(original, tmp_path / "copy")
    assert not (tmp_path / "copy").exists()


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Any:
    from fake_hub import FakeHub

    fake = FakeHub()
    monkeypatch.setattr("huggingface_hub.HfApi", fake.api)
    return fake


def test_the_hub_gets_the_same_files_as_a_folder(original: Path, tmp_path: Path, hub: Any) -> None:
    done = publish(original, "hf:me/set", workers=1, preview=4)
    assert (hub.repos, done.applied) == ({}, False)
    done = publish(original, "hf:me/set", workers=1, preview=4, apply=True, private=True)
    copy_of(original, tmp_path / "copy")
    there = hub.repos["me/set"]
    here = {name: content for name, content in files(tmp_path / "copy").items() if not name.startswith(".")}
    assert there.keys() == here.keys() == done.files.keys()
    assert {name for name in there if there[name] != here[name]} == {"README.md"}
    assert b'load_dataset("me/set")' in there["README.md"]
    assert hub.private == {"me/set": True}
    assert hub.sent[-1] == "manifest.parquet"


def test_the_hub_gets_only_what_is_new_and_loses_what_is_gone(dataset: Path, hub: Any) -> None:
    publish(dataset, "hf:me/set", workers=1, apply=True)
    hub.sent.clear()
    assert publish(dataset, "hf:me/set", workers=1, apply=True).new == ()
    assert hub.sent == []
    hub.repos["me/set"]["mine.txt"] = b"a file of the maintainer"
    gone = Dataset(dataset)[0]
    picture = gone.read("jpg")
    redact(dataset, [gone.key], day=DAY)
    done = publish(dataset, "hf:me/set", workers=1, apply=True)
    assert done.stale
    assert not any(picture in content for content in hub.repos["me/set"].values())
    assert "mine.txt" in hub.repos["me/set"]
    assert "squashed" in list(lines(done))[-1]


def test_an_upload_that_stopped_is_continued(original: Path, hub: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("phq.exchange.publish.hub.FILES", 4)
    hub.fail_at = 2
    with pytest.raises(OutputError, match="hf:me/set: there is no connection to the hub; what was sent stays"):
        publish(original, "hf:me/set", workers=1, apply=True)
    first = list(hub.sent)
    assert len(first) == 4
    assert "manifest.parquet" not in first
    publish(original, "hf:me/set", workers=1, apply=True)
    assert sorted(hub.sent) == sorted(set(hub.sent))
    assert "manifest.parquet" in hub.repos["me/set"]


@pytest.mark.parametrize("package", ["httpx", "httpx2", "requests"])
def test_a_dry_run_without_the_hub_is_a_sentence(package: str, original: Path, hub: Any) -> None:
    gone = type("ConnectError", (Exception,), {"__module__": f"{package}._exceptions"})
    hub.unreachable = gone("Name or service not known")
    with pytest.raises(OutputError, match="hf:me/set: there is no connection to the hub; nothing was sent"):
        publish(original, "hf:me/set", workers=1)


def test_commits_are_small_and_the_promises_come_last() -> None:
    from phq.exchange.publish.content import PublishedFile

    many = [PublishedFile(f"train/{n}.tar", 10**9, "", None) for n in range(FILES + 3)]
    last = [PublishedFile(name, 1, "", None) for name in ("README.md", "manifest.parquet")]
    parts = list(commits([*many, *last]))
    assert all(sum(file.size for file in part) <= 5 * 10**9 + 2 for part in parts)
    assert [file for part in parts for file in part] == [*many, *last]
    assert set(last) <= set(parts[-1])


def test_without_the_client_the_extra_is_named(original: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(MissingExtraError, match=r"phq\[hub\]"):
        publish(original, "hf:me/set")
    with pytest.raises(ConfigError, match="is not hf:USER/NAME"):
        publish(original, "hf:me")


def test_a_repository_of_something_else_is_refused(dataset: Path, hub: Any) -> None:
    hub.repos["me/set"] = {"model.safetensors": b"weights", "README.md": b"mine"}
    with pytest.raises(OutputError, match=r"model\.safetensors, which phq has not published"):
        publish(dataset, "hf:me/set", workers=1, apply=True)
    assert hub.repos["me/set"]["README.md"] == b"mine"
