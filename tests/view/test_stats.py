"""Numbers about a dataset, against the samples it was made of."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from curated_datasets import overlay, person, reject_of, write

from phq.errors import InputError
from phq.reasons import STORED_SCORES
from phq.view.stats import lines, stats

SAMPLES = [*(person(n, licence="CC0", author="Ann" if n % 2 else "Bob") for n in range(24)),
           *(person(n, "val", identity="Cleo;Dan") for n in range(24, 30))]  # fmt: skip
BAD = {"source_path": "bad.jpg", "decision": "rejected", "reason": "truncated", "split": ""}


@pytest.fixture(scope="module")
def thirty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rejects = [reject_of(person(40)), BAD, BAD | {"source_path": "x"}]
    out = write(tmp_path_factory.mktemp("stats"), SAMPLES, rejects, sheet=False)
    turned = {"camera_yaw_deg": 10.0, "decision": "kept", "reason": ""}
    gone = {"camera_yaw_deg": 0.0, "decision": "rejected", "reason": "no_face"}
    rows = [{"key": sample.row["key"], **turned} for sample in SAMPLES[:10]]
    overlay(out, "v2", rows + [{"key": sample.row["key"], **gone} for sample in SAMPLES[28:]])
    return out


def test_counts(thirty: Path) -> None:
    found = stats(thirty, "none")
    assert found["samples"] == {"all": 30, "train": 24, "val": 6}
    assert found["rejects"] == {"all": 3, "truncated": 2, "duplicate": 1}
    assert (found["photos"], found["identities"], found["duplicates_kept"]) == (30, 2, 0)
    assert found["licences"] == {"CC0": 24, "": 6}
    assert found["authors"] == {"Ann": 12, "Bob": 12, "": 6}
    assert found["overlays"] == []


def test_directions_and_percentiles(thirty: Path) -> None:
    found = stats(thirty, "none")
    yaws = [sample.row["camera_yaw_deg"] for sample in SAMPLES]
    away = [abs((yaw + 180) % 360 - 180) for yaw in yaws]
    shares = {"front": [a <= 60 for a in away], "back": [a >= 120 for a in away]}
    for name, inside in shares.items():
        assert found["camera_yaw"][name] == pytest.approx(sum(inside) / 30, abs=1e-6)
    assert sum(found["camera_yaw"][name] for name in ("front", "side", "back")) == pytest.approx(1, abs=1e-5)
    assert sum(found["camera_yaw"]["sectors"].values()) == 30
    blurs = [sample.row["blur"] for sample in SAMPLES]
    assert found["scores"]["blur"]["5"] == pytest.approx(np.percentile(blurs, 5), abs=1e-6)
    assert found["scores"]["blur"]["100"] == max(blurs)
    assert set(found["scores"]) == set(STORED_SCORES)
    assert found["angles"]["head_roll_deg"]["50"] == np.median([sample.row["head_roll_deg"] for sample in SAMPLES])


def test_what_networks_state_of_heads_is_counted_where_there_is_any(thirty: Path, tmp_path: Path) -> None:
    nothing = stats(thirty, "none")
    assert nothing["heads"] == {"headpose_network": {}, "headpose_gate": {}, "head_direction": {}}
    assert nothing["head_scores"] == {}
    assert "headpose" not in "\n".join(lines(nothing))
    asked = {"headpose_network": "whenet:12345678", "headpose_gate": "used", "headpose_yaw_deg": 40.0,
             "headpose_sigma_deg": 9.0}  # fmt: skip
    small = {"headpose_network": "whenet:12345678", "headpose_gate": "small"}
    directed = {"head_direction": "left-back", "head_direction_score": 0.75}
    write(tmp_path / "heads", [person(0, **asked), person(1, **small), person(2, **directed)], [], sheet=False)
    found = stats(tmp_path / "heads")
    assert found["heads"]["headpose_gate"] == {"small": 1, "used": 1}
    assert found["heads"]["head_direction"] == {"left-back": 1}
    assert found["head_scores"]["headpose_yaw_deg"]["50"] == 40.0  # of those that were asked
    assert found["head_scores"]["head_direction_score"]["0"] == 0.75
    text = "\n".join(lines(found))
    assert "whenet:12345678" in text
    assert "headpose_sigma_deg" in text


def test_bytes(thirty: Path) -> None:
    found = stats(thirty, "none")["bytes"]
    members = {"jpg": "jpg", "json": "json", "mask": "mask.png"}
    assert {k: found[k] for k in members} == {k: sum(len(s.members[m]) for s in SAMPLES) for k, m in members.items()}
    assert found["shards"] == sum(path.stat().st_size for path in thirty.rglob("*.tar"))


def test_the_overlays_are_obeyed(thirty: Path) -> None:
    found = stats(thirty)
    assert found["samples"] == {"all": 28, "train": 24, "val": 4}
    assert found["rejects"]["no_face"] == 2
    before = stats(thirty, "none")["camera_yaw"]["sectors"]["0"]
    moved = sum(-22.5 <= s.row["camera_yaw_deg"] < 22.5 for s in SAMPLES[:10])
    lost = sum(-22.5 <= s.row["camera_yaw_deg"] < 22.5 for s in SAMPLES[28:])
    assert found["camera_yaw"]["sectors"]["0"] == before - moved - lost + 10
    assert found["overlays"] == ["v2"]
    with pytest.raises(InputError, match="no overlay 'v3'"):
        stats(thirty, "v3")


def test_they_can_be_read_by_programs_and_people(thirty: Path) -> None:
    found = stats(thirty)
    assert json.loads(json.dumps(found)) == found
    said = "\n".join(lines(found)).splitlines()
    assert said[0].split() == ["samples", "28", "train", "24", "val", "4", "rejects", "5"]
    assert any(line.split() == ["24", "CC0"] for line in said)
    assert any(line.startswith("camera yaw") and "back" in line for line in said)


def test_a_dataset_without_samples(tmp_path: Path) -> None:
    found = stats(write(tmp_path, [], [BAD]))
    assert (found["samples"], found["rejects"]["truncated"], found["scores"]["blur"]) == ({"all": 0}, 1, {})
    assert "samples 0" in "\n".join(lines(found))


@pytest.mark.parametrize("content", ["{", "{}", "[]"])
def test_a_damaged_index_is_named(tmp_path: Path, content: str) -> None:
    write(tmp_path, [person(1)], sheet=False)
    (tmp_path / "train-index.json").write_text(content)
    with pytest.raises(InputError, match=r"train-index\.json of .* is damaged"):
        stats(tmp_path)
