"""What an overlay changes, in numbers and in pictures."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from labelled_samples import labelled_sample, labels
from tiny_datasets import write_tiny
from typer.testing import CliRunner

from phq.cli import app
from phq.curate.annotate.comparing import compare, lines
from phq.dataset.overlays import write_overlay
from phq.errors import InputError, OutputError
from phq.view.axes import draw_axes
from phq.view.diff_page import write_report

HOSTILE = '<script>alert(1)</script>"><img src=x onerror=alert(2)>.jpg'


@pytest.fixture
def turned(tmp_path: Path) -> Path:
    """Ten samples; overlay v2 turns torso n by n degrees and the head by 2 n, flips the last, throws the first out."""
    samples = [labelled_sample(n, source_path=HOSTILE if n == 9 else f"{n}.jpg") for n in range(10)]
    write_tiny(tmp_path / "ds", samples)
    rows = []
    for n, sample in enumerate(samples):
        yaw = 10.0 * n + (180 if n == 9 else n)
        rejected = {"decision": "rejected", "reason": "blurred"} if n == 0 else {"decision": "kept", "reason": ""}
        rows.append({"key": sample.row["key"], **labels(yaw, head_turn_deg=-float(n)), **rejected})
    write_overlay(tmp_path / "ds", "v2", rows, [name for name in rows[0] if name != "key"], {})
    return tmp_path / "ds"


def test_changes_are_measured_sample_by_sample(turned: Path):
    found = compare(turned, "none", "v2")
    expected = [*range(9), 180]
    order = [round(item.row["camera_yaw_deg"] / 10) for item in found.before]
    np.testing.assert_allclose(found.changes["yaw"], [expected[n] for n in order], atol=1e-4)
    np.testing.assert_allclose(found.changes["head"], [[*(2 * n for n in range(9)), 171][n] for n in order], atol=1e-4)
    np.testing.assert_allclose(found.changes["pose"], [n / 2 for n in order], atol=1e-4)
    np.testing.assert_allclose(found.changes["neck"], 0, atol=1e-4)
    assert (found.kept, found.left, found.entered) == ((10, 9), {"blurred": 1}, {})
    assert compare(turned, "v2", "none").entered == {"blurred": 1}


def test_a_neck_that_moves_in_the_picture_is_measured_in_its_pixels(tmp_path: Path):
    sample = labelled_sample(3)
    write_tiny(tmp_path / "ds", [sample])
    moved = np.reshape(sample.row["intrinsics"], (3, 3)) + [[0, 0, 3 / 64], [0, 0, 4 / 64], [0, 0, 0]]
    write_overlay(tmp_path / "ds", "v2", [{"key": sample.row["key"], "intrinsics": moved}], ["intrinsics"], {})
    np.testing.assert_allclose(compare(tmp_path / "ds", "none", "v2").changes["neck"], [5.0], atol=1e-5)


def test_the_table_has_distributions_flips_and_decisions(turned: Path):
    text = "\n".join(lines(compare(turned, "none", "v2"), "none", "v2"))
    yaw = next(line for line in text.splitlines() if "camera yaw" in line)
    assert yaw.split()[-4:] == ["4.50°", "25.20°", "180.00°", "9"]
    assert "more than 90°): 1" in text
    assert "kept: 10 → 9" in text
    assert re.search(r"1\s+left\s+blurred", text)


class Page(HTMLParser):
    """Tags of a page, which must be closed in order, and everything that it loads."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.open: list[str] = []
        self.loaded: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.loaded += [value for name, value in attrs if name in ("src", "href")]
        assert not any(name.startswith("on") for name, _ in attrs)
        if tag not in ("meta", "img", "rect"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in ("meta", "img", "rect"):
            assert self.open.pop() == tag


def test_the_report_is_one_file_that_runs_nothing_and_shows_the_largest_changes_first(turned: Path, tmp_path: Path):
    found = compare(turned, "none", "v2")
    write_report(tmp_path / "r.html", found, "none", "v2")
    text = (tmp_path / "r.html").read_text()
    page = Page(text)
    assert page.open == []
    assert "script" not in page.tags
    assert page.tags.count("svg") == 4
    assert page.tags.count("img") == 2 * 9  # one sample has not turned at all
    assert all(url.startswith("data:image/jpeg;base64,") for url in page.loaded)
    assert "color-scheme: light dark" in text
    assert "&lt;script&gt;" in text
    assert text.index("&lt;script&gt;") < text.index(", 8.jpg".replace(", ", ""))
    write_report(tmp_path / "r2.html", compare(turned, "none", "v2"), "none", "v2")
    assert (tmp_path / "r2.html").read_text() == text


def test_a_report_replaces_only_a_report(turned: Path, tmp_path: Path):
    found = compare(turned, "none", "v2")
    mine = tmp_path / "mine.html"
    mine.write_text("<html>my page</html>")
    with pytest.raises(OutputError, match="phq did not draw it"):
        write_report(mine, found, "none", "v2")
    assert mine.read_text() == "<html>my page</html>"
    for _ in range(2):
        write_report(tmp_path / "r.html", found, "none", "v2")


def test_two_equal_states_and_nothing_kept_are_reports_too(turned: Path, tmp_path: Path):
    write_report(tmp_path / "same.html", compare(turned, "v2", "latest"), "v2", "latest")
    assert "Largest changes (0)" in (tmp_path / "same.html").read_text()
    keys = [{"key": item.key, "decision": "rejected"} for item in compare(turned, "none", "none").before]
    write_overlay(turned, "v3", keys, ["decision"], {})
    write_overlay(turned, "v4", keys[:1], ["decision"], {})
    empty = compare(turned, "v3", "v4")
    write_report(tmp_path / "empty.html", empty, "v3", "v4")
    assert "0 samples" in "\n".join(lines(empty, "v3", "v4"))


def test_an_unknown_state_is_said_with_those_there_are(turned: Path):
    with pytest.raises(InputError, match="none, v2, latest"):
        compare(turned, "none", "v3")


def test_axes_are_drawn_where_the_label_has_them():
    """From the front, the subject's left is image right, and up is up, from the neck on."""
    row = labelled_sample(0).row
    drawn = draw_axes(np.full((64, 64, 3), 128, np.uint8), row, 200)
    red = np.argwhere((drawn[..., 0] > 200) & (drawn[..., 1] < 90))
    green = np.argwhere((drawn[..., 1] > 180) & (drawn[..., 0] < 100))
    neck_y, neck_x = 200 * (0.5 + 0.0649 / 0.41472), 100  # look-at point in the middle, see docs/conventions.md
    assert red[:, 1].max() > neck_x + 40
    assert red[:, 1].min() > neck_x - 10
    assert green[:, 0].min() < neck_y - 60
    assert abs(green[:, 1].mean() - neck_x) < 8


def test_the_command_prints_the_table_and_writes_the_file(turned: Path, tmp_path: Path):
    done = CliRunner().invoke(app, ["diff", str(turned), "none", "v2", "--out", str(tmp_path / "r.html")])
    assert done.exit_code == 0, done.output
    assert "camera yaw about the torso" in done.output
    assert (tmp_path / "r.html").exists()
