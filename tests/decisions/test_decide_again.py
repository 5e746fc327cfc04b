"""`phq decide`: the columns say what the scalar decision says, and the overlay is what was shown."""

from __future__ import annotations

import math
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from labelled_samples import labelled_sample
from tiny_datasets import write_tiny
from typer.testing import CliRunner

from phq.cli import app
from phq.config.build import load_config
from phq.dataset.folder import MANIFEST, REJECTS, RUN
from phq.dataset.overlays import write_overlay
from phq.dataset.reader import Dataset
from phq.decisions.decide import decide_dataset
from phq.decisions.moves import by_yaw, lines
from phq.decisions.overlay import apply, free_name, stage_build_decision
from phq.decisions.rules import decide, decide_scores, score_columns, scores_of
from phq.errors import ConfigError, OutputError
from phq.reasons import RULE_BY_ADDRESS, RULES
from phq.system.journal import stage
from phq.view.decision_pictures import write_pictures

SCORES = sorted({rule.score for rule in RULES} - {"box_px"})
BOX = ["box_x0", "box_y0", "box_x1", "box_y1"]
value = st.one_of(st.none(), st.floats(-100, 100), st.just(math.nan))
limits = st.dictionaries(st.sampled_from(sorted(RULE_BY_ADDRESS)), st.floats(-100, 100) | st.just(0.0))
EVERYTHING = [f"{address}=off" for address in RULE_BY_ADDRESS]


scored = st.fixed_dictionaries({**dict.fromkeys(SCORES, value), **dict.fromkeys(BOX, st.floats(-100, 100))})


@given(st.lists(scored, min_size=1, max_size=5), st.booleans(), limits)
def test_whole_columns_are_decided_as_one_person_is(rows, boxed, thresholds):
    for row in () if boxed else rows:  # a box is there as a whole, or not at all
        row.update(dict.fromkeys(BOX))
    table = pa.table({name: pa.array([row[name] for row in rows], pa.float64()) for name in [*SCORES, *BOX]})
    columns = decide_scores(score_columns(table), thresholds, len(rows))
    for number, row in enumerate(rows):
        alone = decide(scores_of({name: v for name, v in row.items() if v is not None}), thresholds)
        assert {name: column[number] for name, column in columns.items()} == vars(alone)


@pytest.fixture
def ten(tmp_path: Path) -> Path:
    """Ten samples with sharpness 0.0, 0.1 … 0.9, at yaw 0°, 10° … 90°; the evidence agrees with the labels."""
    samples = [
        labelled_sample(
            n, blur=n / 10, phash=f"{n * 0x1111111111:016x}", orientation_yaw_deg=10.0 * n, orientation_p_flip=0.0,
            orientation_sigma_deg=10.0, face_found=True, coco_keypoints=[0.0] * 51, p_flip=0.0,
        )
        for n in range(10)
    ]  # fmt: skip
    write_tiny(tmp_path / "ds", samples, [{"reason": "no_person", "decision": "rejected", "source_path": "x.jpg"}])
    return tmp_path / "ds"


def kept(folder: Path) -> list[float]:
    return sorted(Dataset(folder).columns(["blur"])["blur"].to_pylist())


def test_what_is_shown_is_what_is_applied_and_can_be_taken_back(ten):
    decided = decide_dataset(ten, preset="everything", sets=["blur.min=0.45", "duplicates.bits=0"])
    assert (decided.leaving.sum(), decided.entering.sum(), decided.is_kept.sum()) == (5, 0, 5)
    assert by_yaw(decided).sum(0).tolist() == [10, 0, 5, 5]
    assert len(kept(ten)) == 10, "nothing is written before it is applied"
    assert next(lines(decided)) == "kept 10 → 5 of 10 stored people: 5 of these leave, 0 rejected enter"
    assert "nobody can enter" in "".join(lines(decided))
    apply(decided, "sharp")
    assert kept(ten) == pytest.approx([0.5, 0.6, 0.7, 0.8, 0.9])
    row = next(row for row in Dataset(ten, rejects=True).table.to_pylist() if row["blur"] == 0.1)
    assert (row["reason"], row["score_name"], row["threshold"]) == ("blurred", "blur", 0.45)
    assert "below blur.min = 0.45" in row["detail"] and row["margin"] < 0

    back = decide_dataset(ten, sets=["blur.min=0.25"])  # over the thresholds in force
    assert (back.leaving.sum(), back.entering.sum()) == (0, 2)
    assert "nobody can enter" not in "".join(lines(back))
    assert free_name(back) == "decide-1"
    apply(back, "softer")
    assert kept(ten) == pytest.approx([0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9])


def test_a_dataset_that_keeps_its_rejects_gives_them_back(ten):
    config = load_config("everything", None, ["blur.min=0.45", "keep_rejects=true"])
    assert config.storing_all().thresholds == {}
    with stage(ten) as change:
        for name in (MANIFEST, REJECTS, RUN):
            change.write(name, (ten / name).read_bytes())
        staged = stage_build_decision(change, config)
    assert staged is not None
    assert staged[0] == "build"
    assert kept(ten) == pytest.approx([0.5, 0.6, 0.7, 0.8, 0.9])
    back = decide_dataset(ten, sets=["blur.min=0.15"])
    apply(back, "back")
    assert len(kept(ten)) == 8
    assert Dataset(ten, where="blur = 0.2")[0].image.shape == (64, 64, 3)


def test_what_a_person_or_a_stage_has_rejected_stays_rejected(ten):
    keys = Dataset(ten).keys
    mark = {"key": keys[3], "decision": "rejected", "reason": "ugly"}
    write_overlay(ten, "reviewed", [mark], ["decision", "reason"], {})
    decided = decide_dataset(ten, preset="everything")
    assert decided.is_kept.sum() == 9
    apply(decided, "again")
    assert Dataset(ten, rejects=True)[keys[3]].row["reason"] == "ugly"


def test_a_label_that_was_turned_is_found_by_the_evidence(ten):
    calm = decide_dataset(ten, preset="everything", sets=["flip.max=0.3"])
    assert calm.is_kept.all()
    key = Dataset(ten, where="blur = 0.2").keys[0]
    write_overlay(ten, "turned", [{"key": key, "camera_yaw_deg": -160.0, "head_yaw_deg": -160.0}],
                  ["camera_yaw_deg", "head_yaw_deg"], {})  # fmt: skip
    decided = decide_dataset(ten, preset="everything", sets=["flip.max=0.3"])
    rejected = decided.before["key"].filter(pa.array(~decided.is_kept)).to_pylist()
    assert rejected == [key]
    assert decided.after["p_flip"].filter(pa.array(~decided.is_kept))[0].as_py() > 0.99


def test_the_yaw_of_the_head_says_whether_a_face_belongs_there(ten):
    key, strict = Dataset(ten, where="blur = 0.2").keys[0], ["flip.max=0.03"]
    assert decide_dataset(ten, preset="everything", sets=strict).is_kept.all()
    write_overlay(ten, "looks_away", [{"key": key, "head_yaw_deg": 160.0}], ["head_yaw_deg"], {})
    decided = decide_dataset(ten, preset="everything", sets=strict)
    assert decided.before["key"].filter(pa.array(~decided.is_kept)).to_pylist() == [key]


def test_without_evidence_of_the_orientation_the_stored_probability_stays(tmp_path):
    samples = [labelled_sample(n, orientation_sigma_deg=5.0 * n, orientation_p_flip=0.0, p_flip=0.7) for n in (0, 1)]
    write_tiny(tmp_path / "ds", samples)
    decided = decide_dataset(tmp_path / "ds", preset="everything")
    sigma, p_flip = decided.samples.table["orientation_sigma_deg"].to_pylist(), decided.after["p_flip"].to_pylist()
    assert p_flip[sigma.index(0.0)] == 0.7 and p_flip[sigma.index(5.0)] < 0.5


def test_pictures_show_those_who_move(ten, tmp_path):
    decided = decide_dataset(ten, preset="everything", sets=["blur.min=0.45", "duplicates.bits=0"])
    write_pictures(tmp_path / "a.html", decided)
    page = (tmp_path / "a.html").read_text("utf-8")
    assert page.count("<img") == 5 and "5 would leave: blurred" in page
    write_pictures(tmp_path / "a.png", decided)
    write_pictures(tmp_path / "a.png", decided)
    with pytest.raises(OutputError, match="ends in"):
        write_pictures(tmp_path / "a.gif", decided)


def test_the_command_says_first_and_does_only_what_it_is_told(ten):
    runner = CliRunner()
    asked = runner.invoke(app, ["decide", str(ten), "--preset", "everything", "--set", "blur.min=0.45"])
    assert asked.exit_code == 0, asked.output
    assert "5  leave: blurred" in asked.output and "nothing is written" in asked.output
    assert len(kept(ten)) == 10
    done = runner.invoke(app, ["decide", str(ten), "--preset", "everything", "--set", "blur.min=0.45", "--apply"])
    assert "overlay decide-1" in done.output
    assert len(kept(ten)) == 5
    wrong = runner.invoke(app, ["decide", str(ten), "--set", "blurr.min=1"])
    assert isinstance(wrong.exception, ConfigError)
