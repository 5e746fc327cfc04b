"""The notebook of the examples runs, and what it shows are pictures."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.mark.slow
def test_the_tour_runs_and_shows_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(EXAMPLES.parent))
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=os.pathsep)
    tour = nbformat.read(EXAMPLES / "tour.ipynb", as_version=4)
    NotebookClient(tour, timeout=600, resources={"metadata": {"path": str(EXAMPLES)}}).execute()
    shown = {cell.source.splitlines()[0]: _html(cell) for cell in tour.cells if cell.cell_type == "code"}
    assert shown["import phq"].count("<img") == 7
    assert shown['dataset = phq.Dataset(work / "dataset")'].count("<img") == 1
    assert "<video" in shown["from IPython.display import Video"]


def test_the_tour_is_stored_without_output() -> None:
    tour = nbformat.read(EXAMPLES / "tour.ipynb", as_version=4)
    nbformat.validate(tour)
    assert not [cell for cell in tour.cells if cell.get("outputs")]


def _html(cell: Any) -> str:
    return "".join(str(out.get("data", {}).get("text/html", "")) for out in cell.outputs)
