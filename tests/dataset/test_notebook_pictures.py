"""In a notebook a dataset, a sample and a build's result show stored pictures, and words are escaped."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

from phq.building.build import BuildResult
from phq.dataset.notebook import SHOWN, evenly, figure, table
from phq.dataset.reader import Dataset
from phq.errors import InputError


def test_a_dataset_shows_its_stored_pictures(four_people: Path) -> None:
    dataset = Dataset(four_people)
    page = dataset._repr_html_()
    assert "4 samples" in page
    assert page.count("<img") == 4
    assert base64.b64encode(dataset.read(0)).decode() in page


def test_a_sample_names_its_yaw_and_photo(four_people: Path) -> None:
    item = Dataset(four_people)[1]
    page = item._repr_html_()
    assert item.key in page
    assert "camera_yaw_deg" in page
    assert item.row["source_path"] in page


def test_a_reject_without_stored_bytes_shows_words_alone() -> None:
    class Reject:
        def __init__(self) -> None:
            self.key = ""
            self.row: dict[str, Any] = {"camera_yaw_deg": None, "source_path": "a/b.jpg"}

        def read(self, member: str) -> bytes:
            raise InputError(f"no {member} is stored")

    page = figure(Reject(), ("camera_yaw_deg", "source_path"))
    assert "<img" not in page
    assert "camera_yaw_deg" not in page
    assert "a/b.jpg" in page


def test_a_result_shows_its_counts_above_the_people(everything: BuildResult) -> None:
    page = everything._repr_html_()
    assert f"<th>photos</th><td>{everything.photos}</td>" in page
    assert page.count("<img") == min(SHOWN, everything.counts["kept"])


def test_pictures_are_taken_evenly() -> None:
    assert evenly(0) == []
    assert evenly(3) == [0, 1, 2]
    assert evenly(1000)[0] == 0
    assert evenly(1000)[-1] == 999
    assert len(evenly(1000)) == SHOWN


def test_words_are_escaped() -> None:
    assert "<b>" not in table({"<b>": "<b>"}, "<b>")
