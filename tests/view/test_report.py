"""The report as a file: what it holds is what the dataset holds, and nothing of it can do harm."""

from __future__ import annotations

import base64
import hashlib
import io
import re
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from report_dataset import BLURRED, COUNT, HOSTILE, Page, report_dataset, report_samples
from tiny_datasets import CARD
from typer.testing import CliRunner

from phq.cli import app
from phq.curate.redact import redact
from phq.curate.verify.verify import verify
from phq.dataset.derived import is_drawn
from phq.dataset.write import write_dataset
from phq.errors import InputError, MissingExtraError, OutputError
from phq.view.report.choose import A_DIRECTION, A_REASON
from phq.view.report.content import NO_ANGLE, UNKNOWN
from phq.view.report.pictures import THUMB, TILE
from phq.view.report.reporting import report
from phq.view.stats import stats


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return report_dataset(tmp_path_factory.mktemp("report") / "dataset")


@pytest.fixture(scope="module")
def page(written: Path, tmp_path_factory: pytest.TempPathFactory) -> Page:
    out = tmp_path_factory.mktemp("page") / "page.html"
    done = report(written, out)
    assert (done.page, done.kept, done.rejected) == (out, COUNT - BLURRED, BLURRED + 2)
    return Page(out)


@pytest.fixture
def bodies_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Most of the time of a report is in those, which `page` has."""
    monkeypatch.setattr("phq.view.report.choose.A_DIRECTION", 0)


def unpacked(text: str, kind: str) -> np.ndarray:
    return np.frombuffer(base64.b64decode(text), kind)


def picture(text: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(text)))


def test_nothing_is_loaded_and_only_its_own_scripts_may_run(page: Page) -> None:
    for tag, attributes in page.tags:
        assert not {"src", "data", "action", "srcset"} & attributes.keys(), tag
        assert (attributes.get("href") or "#").startswith("#"), tag
        assert not [name for name in attributes if name.startswith("on")], tag
    policy = next(a["content"] or "" for _, a in page.tags if a.get("http-equiv") == "Content-Security-Policy")
    allowed = re.findall(r"'sha256-([^']+)'", policy)
    assert "default-src 'none'" in policy
    assert allowed == [base64.b64encode(hashlib.sha256(s.encode()).digest()).decode() for s in page.scripts[1:]]
    assert [tag for tag, _ in page.tags].count("script") == 3


def test_hostile_names_are_data_and_nothing_else(page: Page) -> None:
    assert "<" not in page.scripts[0]
    assert [tag for tag, _ in page.tags].count("img") == 0
    content = page.content
    assert HOSTILE in {sample["source_path"] for sample in content["samples"]}
    assert HOSTILE in {sample["detail"] for sample in content["samples"]}


def test_counts_shares_and_angles_are_those_of_the_dataset(written: Path, page: Page) -> None:
    content, known = page.content, stats(written)
    assert content["rows"] == {"all": COUNT + 2, "taken": COUNT + 2, "kept": known["samples"]["all"]}
    assert {reason["name"]: reason["count"] for reason in content["reasons"]} == {
        "blurred": BLURRED, "duplicate": 1, "truncated": 1,
    }  # fmt: skip
    for name in ("front", "side", "back"):
        assert content["masses"][name] == pytest.approx(known["camera_yaw"][name])
    reason, yaw = unpacked(content["columns"]["reason"], "u1"), unpacked(content["columns"]["yaw"], "<i2")
    rows = [sample.row for sample in report_samples()[BLURRED:]]
    assert sorted(yaw[reason == 0] / 10) == pytest.approx(sorted(row["camera_yaw_deg"] for row in rows), abs=0.051)
    assert (yaw == NO_ANGLE).sum() == 1
    facts = {fact["label"]: fact for fact in content["facts"]}
    assert facts["samples kept"]["value"] == str(COUNT - BLURRED)
    assert facts["labels turned round"]["value"] == f"{sum(row['p_flip'] for row in rows):.1f}"
    assert facts["with a licence"] == {"value": "100.0%", "label": "with a licence", "warn": False,
                                       "hint": facts["with a licence"]["hint"]}  # fmt: skip
    assert content["build"]["rates"] == {"photos": 7.3, "people": 7.3, "kept": 7.2}
    assert [model["licence"] for model in content["models"]] == [model.licence for model in CARD.models]


def test_scores_have_the_thresholds_in_force_and_every_sample_in_its_bin(page: Page) -> None:
    scores = {score["name"]: score for score in page.content["scores"]}
    blur = scores["blur"]
    assert [(limit["side"], limit["value"]) for limit in blur["limits"]] == [("min", 0.05)]
    assert [score["name"] for score in scores.values() if score["limits"]] == ["blur"]
    bins = unpacked(blur["bins"], "u1")
    edges = np.linspace(blur["low"], blur["high"], page.content["bins"] + 1)
    values = [sample.row["blur"] for sample in report_samples()[BLURRED:]]
    inside = np.clip(np.digitize(np.round(values, 6), edges) - 1, 0, page.content["bins"] - 1)
    assert (bins == UNKNOWN).sum() == 1
    kept = bins[unpacked(page.content["columns"]["reason"], "u1") == 0]
    assert np.sort(kept).tolist() == np.sort(inside).tolist()


def test_the_most_doubtful_come_first_and_rejects_with_pictures_show_them(page: Page) -> None:
    content = page.content
    samples = content["samples"]
    for doubt, worst in (("margin", 1), ("p_flip", -1), ("yaw_sigma_deg", -1)):
        found = next(each["samples"] for each in content["doubts"] if each["name"] == doubt)
        short = {"p_flip": "flip", "yaw_sigma_deg": "sigma"}.get(doubt, doubt)
        values = [worst * samples[number][short] for number in found]
        assert values == sorted(values)
        every = [worst * sample[short] for sample in samples if sample["kept"]]
        assert values[0] == min(every)
        assert all(samples[number]["kept"] and samples[number]["picture"] for number in found)
    blurred, *bare = (reason["samples"] for reason in content["reasons"])
    assert len(blurred) == min(A_REASON, BLURRED)
    assert all(picture(samples[number]["picture"]).size == (THUMB, THUMB) for number in blurred)
    assert [samples[number]["picture"] for numbers in bare for number in numbers] == ["", ""]


def test_bodies_are_drawn_all_round(page: Page) -> None:
    around = page.content["around"]
    assert [group["middle"] for group in around] == list(range(-180, 180, 30))
    assert any(len(group["tiles"]) == A_DIRECTION for group in around)
    for group in around:
        for tile in group["tiles"]:
            assert abs((tile["sample"]["yaw"] - group["middle"] + 180) % 360 - 180) <= 15
            plain, body = (np.asarray(picture(tile[name]).convert("RGB"), int) for name in ("picture", "body"))
            assert plain.shape == (TILE, TILE, 3)
            assert np.abs(plain - body).mean() > 5


@pytest.mark.usefixtures("bodies_left_out")
def test_of_a_large_dataset_the_gallery_has_all_directions(
    written: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("phq.view.report.choose.EVERYWHERE", 24)
    content = Page(report(written, tmp_path / "page.html").page).content
    yaws = np.array([content["samples"][number]["yaw"] for number in content["gallery"]])
    every = np.array([sample.row["camera_yaw_deg"] for sample in report_samples()[BLURRED:]])
    assert len(yaws) == 24
    assert (np.abs(every) > 90).mean() < 0.25
    assert (np.abs(yaws) > 90).mean() > 0.35


@pytest.mark.usefixtures("bodies_left_out")
def test_of_more_rows_than_the_page_can_hold_it_has_some_evenly_and_counts_all(
    written: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("phq.view.report.content.MOST_ROWS", 40)
    content = Page(report(written, tmp_path / "page.html").page).content
    assert content["rows"] == {"all": COUNT + 2, "taken": 40, "kept": COUNT - BLURRED}
    assert len(unpacked(content["columns"]["reason"], "u1")) == 40
    assert all(len(unpacked(score["bins"], "u1")) == 40 for score in content["scores"])


@pytest.mark.usefixtures("bodies_left_out")
def test_the_state_is_the_one_asked_for_and_the_same_call_gives_the_same_bytes(written: Path, tmp_path: Path) -> None:
    first, second = (report(written, tmp_path / name, revision="none") for name in ("a.html", "b.html"))
    assert (first.kept, first.rejected) == (COUNT, 2)
    assert first.page.read_bytes() == second.page.read_bytes()
    assert Page(first.page).content["overlays"] == []
    with pytest.raises(InputError, match="no overlay 'x'"):
        report(written, tmp_path / "c.html", revision="x")


@pytest.mark.usefixtures("bodies_left_out")
def test_it_lies_in_the_dataset_is_made_anew_and_goes_with_a_redaction(written: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(written, tmp_path / "dataset"))
    done = report(folder)
    assert done.page == report(folder).page == folder / "report.html"
    assert is_drawn(done.page)
    assert verify(folder, workers=1).violations == []
    redact(folder, [str(report_samples()[50].row["key"])])
    assert not done.page.exists()


def test_files_of_others_stay(written: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine.html"
    mine.write_text("<p>mine")
    for out, message in ((mine, "did not draw it"), (tmp_path / "x.pdf", "ends in .html")):
        with pytest.raises(OutputError, match=message):
            report(written, out)
    assert mine.read_text() == "<p>mine"


def test_figures_are_pictures_that_phq_signs(written: Path, tmp_path: Path) -> None:
    done = report(written, tmp_path / "page.html", png_dir=tmp_path / "figures")
    assert [path.name for path in done.pictures] == [
        "directions.png", "heads.png", "scores.png", "reasons.png", "bodies.png",
    ]  # fmt: skip
    for path in done.pictures:
        assert is_drawn(path)
        assert np.ptp(np.asarray(Image.open(path).convert("L"))) > 100
    (tmp_path / "figures/heads.png").write_bytes(b"mine")
    with pytest.raises(OutputError, match=r"heads\.png already exists"):
        report(written, tmp_path / "page.html", png_dir=tmp_path / "figures")


def test_a_dataset_of_nothing_and_one_of_rejects_alone(tmp_path: Path) -> None:
    empty = {"source_path": "a.jpg", "decision": "rejected", "reason": "is_empty", "split": ""}
    for name, rejects in (("none", []), ("rejects", [empty])):
        write_dataset(tmp_path / name, [], rejects, lambda row: {}, {"seed": 1}, CARD)  # type: ignore[arg-type]
        done = report(tmp_path / name, png_dir=tmp_path / "figures")
        content = Page(done.page).content
        assert content["rows"] == {"all": len(rejects), "taken": len(rejects), "kept": 0}
        assert [reason["count"] for reason in content["reasons"]] == [1] * len(rejects)


@pytest.mark.usefixtures("bodies_left_out")
def test_a_damaged_shard_costs_its_pictures_alone(written: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(written, tmp_path / "dataset"))
    shard = sorted((folder / "train").glob("*.tar"))[0]
    shard.write_bytes(b"")
    done = report(folder)
    content = Page(done.page).content
    assert content["rows"]["kept"] == COUNT - BLURRED
    assert 0 < len(content["gallery"]) < COUNT - BLURRED
    assert done.unreadable > 0
    said = CliRunner().invoke(app, ["report", str(folder)])
    assert f"phq: {done.unreadable} pictures cannot be read and are left out" in said.stderr


@pytest.mark.usefixtures("bodies_left_out")
def test_the_command_names_what_it_wrote(written: Path, tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["report", str(written), "--out", str(tmp_path / "page.html")])
    assert done.stdout == f"report   {tmp_path / 'page.html'}\n"


def test_without_plotly_the_extra_is_named(written: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "plotly.offline", None)
    with pytest.raises(MissingExtraError, match=r"phq\[report\]"):
        report(written, tmp_path / "page.html")
