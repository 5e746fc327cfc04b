"""What `phq build` says where nobody is kept."""

from __future__ import annotations

from pathlib import Path

import pytest
from networkless_pipeline import SIDE, names, photos
from typer.testing import CliRunner

from phq.cli import app

pytestmark = pytest.mark.usefixtures("networkless")


@pytest.mark.parametrize(
    ("people", "options", "words"),
    [(0, [], "nobody was found"), (2, ["--set", "blur.min=1000"], "--preset everything, into another folder")],
)
def test_a_build_that_keeps_nobody_says_why(people: int, options: list[str], words: str, tmp_path: Path) -> None:
    source, out = photos(tmp_path / "photos", names(4), people), tmp_path / "out"
    command = ["build", str(source), str(out), "--preset", "everything", "--size", str(SIDE), "--executor", "inline"]
    done = CliRunner().invoke(app, [*command, *options])
    assert done.exit_code == 0, done.output
    assert "nothing was kept" in done.stdout and words in done.stdout
    assert "models that touched" not in done.stdout
    assert done.stderr.splitlines()[-1] == f"next: phq show {out} PHOTO.jpg"


def test_one_that_keeps_somebody_leads_to_the_report(tmp_path: Path) -> None:
    source, out = photos(tmp_path / "photos", names(4)), tmp_path / "out"
    command = ["build", str(source), str(out), "--preset", "everything", "--size", str(SIDE), "--executor", "inline"]
    done = CliRunner().invoke(app, command)
    assert "models that touched" in done.stdout
    assert done.stderr.splitlines()[-1] == f"next: phq report {out}"
