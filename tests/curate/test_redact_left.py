"""After a redaction: what still names the person is listed, the exit code says so, and a reason is not to name them."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest
from curated_datasets import files, person, write
from typer.testing import CliRunner

from phq.cli import app
from phq.commands.ending import ExitCode
from phq.curate.redact import NamedReasonError, lines, redact
from phq.dataset.tombstones import read_tombstones

WHO = "Anna Förster"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three people; the second one's name is known."""
    samples = [person(0), person(1, identity=WHO, source_path="photos/anna_f/portrait.jpg"), person(2, "val")]
    return write(tmp_path / "set", samples, sheet=False)


@pytest.fixture
def key() -> str:
    return str(person(1, identity=WHO, source_path="photos/anna_f/portrait.jpg").row["key"])


def test_nothing_left_is_0(folder: Path, key: str) -> None:
    done = CliRunner().invoke(app, ["redact", str(folder), key, "--reason", "asked to be removed"])
    assert (done.exit_code, "left alone" in done.output) == (ExitCode.DONE, False)


def test_what_still_names_the_person_is_listed_and_is_1(folder: Path, key: str) -> None:
    (folder / "notes.txt").write_text(f"{WHO} wrote on Monday", encoding="utf-8")
    (folder / "letters.txt").write_text("see portrait.jpg", encoding="utf-8")
    (folder / "backup").mkdir()
    (folder / "backup" / "manifest.parquet").write_bytes((folder / "manifest.parquet").read_bytes())
    with zipfile.ZipFile(folder / "export.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("dataset.json", json.dumps({"labels": [[f"{key}.png", []]]}))
    left = ("backup/manifest.parquet", "export.zip", "letters.txt", "notes.txt")
    done = CliRunner().invoke(app, ["redact", str(folder), key])
    assert done.exit_code == ExitCode.FOUND
    assert [line.strip() for line in done.output.splitlines() if line.startswith("  ")] == list(left)
    again = redact(folder, [key])  # by then the name of the person is forgotten, but not the key
    assert again.mentions == ("backup/manifest.parquet", "export.zip")
    assert not again.clean
    assert next(iter(lines(again))) == "nothing to do: all of it was redacted before"


@pytest.mark.parametrize("reason", ["Anna asked us", "mail of A. FÖRSTER", "about anna_f"])
def test_a_reason_with_the_name_is_not_stored_without_asking(folder: Path, key: str, reason: str) -> None:
    before = files(folder)
    with pytest.raises(NamedReasonError, match="--name-in-reason"):
        redact(folder, [key], reason=reason)
    assert files(folder) == before


def test_confirmed_it_is_stored_and_listed(folder: Path, key: str) -> None:
    done = CliRunner().invoke(app, ["redact", str(folder), key, "--reason", "Anna asked", "--name-in-reason"])
    assert done.exit_code == ExitCode.FOUND
    assert "  tombstones.parquet" in done.output
    assert {(stone.reason, stone.named) for stone in read_tombstones(folder)} == {("Anna asked", True)}


@pytest.mark.parametrize(("answer", "stored"), [("y", True), ("n", False)])
def test_on_a_terminal_it_is_asked(
    folder: Path, key: str, answer: str, stored: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    questions = []
    monkeypatch.setattr("phq.commands.curate._is_terminal", lambda: True)
    monkeypatch.setattr("typer.confirm", lambda question, err: questions.append(question) or answer == "y")
    CliRunner().invoke(app, ["redact", str(folder), key, "--reason", "Anna asked"])
    assert len(questions) == 1
    assert bool(read_tombstones(folder)) == stored


def test_words_of_every_path_name_nobody(folder: Path, key: str) -> None:
    redact(folder, [key], reason="the photos of a portrait session")
    assert {stone.reason for stone in read_tombstones(folder)} == {"the photos of a portrait session"}


def test_a_readme_with_the_name_is_listed(folder: Path, key: str) -> None:
    card = folder / "README.md"
    text = card.read_text(encoding="utf-8")
    card.write_text(text.replace("\n## ", f"\nWith thanks to {WHO}.\n\n## ", 1), encoding="utf-8")
    assert redact(folder, [key]).mentions == ("README.md",)
