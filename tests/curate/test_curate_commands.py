"""The commands about a finished dataset, as a person types them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from curated_datasets import person, write
from typer.testing import CliRunner, Result

from phq.cli import app
from phq.dataset.reader import Dataset
from phq.errors import ConfigError, PhqError


def phq(*arguments: object) -> Result:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if isinstance(result.exception, PhqError):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result


@pytest.fixture
def nine(tmp_path: Path) -> Path:
    return write(tmp_path / "set", [person(n, identity=f"p{n % 3}") for n in range(9)])


def test_redact(nine: Path) -> None:
    key, other = Dataset(nine).keys[:2]
    said = phq("redact", nine, key, "--reason", "asked to").output
    assert "redacted 1 samples, 1 records" in said
    assert key not in Dataset(nine)
    assert "nothing to do" in phq("redact", nine, key).output
    phq("redact", nine, "--source", Dataset(nine)[other].row["source_path"])
    assert len(Dataset(nine)) == 7


def test_merge(nine: Path, tmp_path: Path) -> None:
    more = write(tmp_path / "more", [person(8), person(9)], sheet=False)
    said = phq("merge", nine, more, tmp_path / "out").output
    assert "kept 10" in said
    assert "1  records that several datasets had" in said
    with pytest.raises(ConfigError, match="phq merge DATASET… OUT"):
        phq("merge", nine, tmp_path / "out2")


def test_split(nine: Path) -> None:
    said = phq("split", nine, "--by", "identity", "--name", "people", "--val", "0.4").output
    assert "overlay people" in said
    assert "3 groups stay together, the largest of 3 samples" in said
    assert Dataset(nine).overlays == ["people"]


def test_stats(nine: Path) -> None:
    assert "samples 9" in phq("stats", nine).output
    assert json.loads(phq("stats", nine, "--json", "-").output)["samples"]["train"] == 9


def test_show(nine: Path, tmp_path: Path) -> None:
    key = Dataset(nine).keys[0]
    assert key in phq("show", nine, key[:10], "--out", tmp_path / "x.png").output
    assert (tmp_path / "x.png").stat().st_size


def test_coco(tmp_path: Path) -> None:
    box = {"box_x0": 60.0, "box_y0": 60.0, "box_x1": 200.0, "box_y1": 200.0}
    write(tmp_path / "set", [person(n, **box) for n in range(9)])
    assert "9 pictures with 9 people" in phq("export", "coco", tmp_path / "set", "--out", tmp_path / "out").output
