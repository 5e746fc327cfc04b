"""Licence, consent and the rest stated after a build: an overlay, then the shards, then a publication."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest
from curated_datasets import files, overlay, person, reject_of, write
from typer.testing import CliRunner

from phq.cli import app
from phq.config.build import load_config
from phq.curate.annotate.provenance import annotate_from_sidecar
from phq.curate.bake import bake
from phq.curate.verify.verify import verify
from phq.dataset.reader import Dataset
from phq.errors import InputError
from phq.exchange.publish.publishing import publish

NOTHING = {"licence": "", "author": "", "source": "", "identity": "", "consent": ""}


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """Three people without provenance, and a fourth whom the build's setting gave a licence."""
    stated = person(3, **{**NOTHING, "licence": "as built"})
    rejects = [reject_of(person(9, **NOTHING))]
    folder = write(tmp_path / "set", [*(person(n, **NOTHING) for n in range(3)), stated], rejects, sheet=False)
    run = json.loads((folder / "run.json").read_bytes())
    run["config"]["provenance"]["licence"] = "as built"
    (folder / "run.json").write_text(json.dumps(run))
    return folder


def sidecar(tmp_path: Path, text: str) -> Path:
    (tmp_path / "rights.csv").write_text(text)
    return tmp_path / "rights.csv"


def stated(folder: Path, column: str, revision: str = "latest") -> list[str]:
    """Values of the people in the order of their numbers."""
    table = Dataset(folder, revision=revision).columns(["source_path", column]).to_pylist()
    return [row[column] for row in sorted(table, key=lambda row: str(row["source_path"]))]


def test_rows_are_stated_and_what_they_leave_open_stays(dataset: Path, tmp_path: Path) -> None:
    overlay(dataset, "names", [{"key": person(1).row["key"], "author": "Ann"}])
    before = {name: content for name, content in files(dataset).items() if name.endswith(".tar")}
    told: list[str] = []
    rows = "path,licence,consent\nphotos/0000.jpg,CC0-1.0,yes\nphotos/0001.jpg,CC-BY-4.0,\nother.jpg,CC0-1.0,\n"
    done = annotate_from_sidecar(dataset, "rights", sidecar(tmp_path, rows), notify=told.append)
    assert done.changes == {"licence": 2, "consent": 1}
    assert done.samples == 2
    assert stated(dataset, "licence") == ["CC0-1.0", "CC-BY-4.0", "", "as built"]
    assert stated(dataset, "consent") == ["yes", "", "", ""]
    assert stated(dataset, "author") == ["", "Ann", "", ""]
    assert any("rows about photos that do not exist, such as other.jpg" in line for line in told)
    assert any("3 photos without a row" in line for line in told)  # the reject's too
    assert before == {name: content for name, content in files(dataset).items() if name.endswith(".tar")}
    assert verify(dataset, workers=1).clean


def test_a_setting_is_for_what_nobody_states_and_replaces_that_of_the_build(dataset: Path, tmp_path: Path) -> None:
    rows = sidecar(tmp_path, "path,licence\nphotos/0000.jpg,CC0-1.0\n")
    annotate_from_sidecar(dataset, "rights", rows, sets=["provenance.licence=mine"])
    assert stated(dataset, "licence") == ["CC0-1.0", "mine", "mine", "mine"]


def test_only_where_asked_and_on_another_revision(dataset: Path, tmp_path: Path) -> None:
    rows = sidecar(tmp_path, "path,licence\n" + "".join(f"photos/{n:04d}.jpg,CC0-1.0\n" for n in range(4)))
    overlay(dataset, "wrong", [{"key": person(n).row["key"], "licence": "wrong"} for n in range(4)])
    told: list[str] = []
    where = "source_path <> 'photos/0002.jpg'"
    annotate_from_sidecar(dataset, "rights", rows, revision="none", where=where, notify=told.append)
    assert stated(dataset, "licence") == ["CC0-1.0", "CC0-1.0", "", "CC0-1.0"]
    assert stated(dataset, "licence", "wrong") == ["wrong"] * 4
    assert any("leaves out wrong" in line for line in told)


def test_what_changes_nothing_is_refused(dataset: Path, tmp_path: Path) -> None:
    before = files(dataset)
    with pytest.raises(InputError, match="states nothing"):
        annotate_from_sidecar(dataset, "rights", sidecar(tmp_path, "path,licence\nother.jpg,CC0-1.0\n"))
    assert files(dataset) == before


def _found(folder: Path, copy: Path) -> list[tuple[str, bool]]:
    return [(finding.name, finding.blocks) for finding in publish(folder, str(copy), workers=1).findings]


def test_from_a_build_without_licences_to_a_publication(dataset: Path, tmp_path: Path) -> None:
    rows = sidecar(tmp_path, "path,licence\n" + "".join(f"photos/{n:04d}.jpg,CC0-1.0\n" for n in range(4)))
    done = CliRunner().invoke(app, ["annotate", str(dataset), "--name", "rights", "--sidecar", str(rows)])
    assert done.exit_code == 0, done.output
    assert "4  samples with another licence" in done.stdout
    assert done.stderr.splitlines()[-1] == f"next: phq bake {dataset} NEW --revision rights"
    assert ("licences", True) in _found(dataset, tmp_path / "copy")
    baked = bake(dataset, tmp_path / "baked").out
    assert "licences" not in dict(_found(baked, tmp_path / "copy"))
    assert "CC0-1.0" in (baked / "README.md").read_text()


@pytest.mark.parametrize(("thresholds", "more"), [({"consent.min": 0.0}, ""), ({}, " --set consent.min=0")])
def test_a_withdrawn_consent_takes_effect_by_the_command_that_is_named(
    dataset: Path, tmp_path: Path, thresholds: dict[str, float], more: str
) -> None:
    run = json.loads((dataset / "run.json").read_text())
    config = load_config("everything").model_dump(mode="json") | {"thresholds": thresholds}
    (dataset / "run.json").write_text(json.dumps(run | {"config": config}))
    rows = sidecar(tmp_path, "path,consent\nphotos/0001.jpg,no\n")
    done = CliRunner().invoke(app, ["annotate", str(dataset), "--name", "rights", "--sidecar", str(rows)])
    assert "1 samples of people who refused stay until" in done.stdout
    line = done.stderr.splitlines()[-1]
    assert line == f"next: phq decide {dataset}{more} --apply"
    decided = CliRunner().invoke(app, shlex.split(line)[2:])
    assert (decided.exit_code, "no_consent" in decided.stdout) == (0, True)
    assert len(Dataset(dataset)) == 3
    assert bake(dataset, tmp_path / "baked").kept == 3


def test_nothing_else_goes_beside_a_sidecar(dataset: Path, tmp_path: Path) -> None:
    rows = sidecar(tmp_path, "path,licence\nphotos/0000.jpg,CC0-1.0\n")
    words = ["annotate", str(dataset), "--name", "rights", "--sidecar", str(rows), "--groups", "pose"]
    done = CliRunner().invoke(app, words)
    assert "leave out --groups" in str(done.exception)
