"""One sample: found by the beginning of its key, told in words, drawn."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from bundled_photos import FOLDER
from curated_datasets import overlay, person, reject_of, write
from PIL import Image

from phq.building.build import BuildResult
from phq.dataset.reader import Dataset
from phq.errors import InputError, OutputError
from phq.pose.drawn import BODIES
from phq.pose.render import project
from phq.view.picture import draw
from phq.view.show import show

SAMPLES = [person(n) for n in range(40)]


@pytest.fixture(scope="module")
def forty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = write(tmp_path_factory.mktemp("show"), SAMPLES, [reject_of(person(60), detail="looks like another")], False)
    overlay(out, "v2", [{"key": SAMPLES[0].row["key"], "blur": 0.125, "weight": 3}])
    return out


def test_a_key_may_be_cut_short_where_one_sample_is_meant(forty: Path) -> None:
    keys = sorted([*(sample.row["key"] for sample in SAMPLES), person(60).row["key"]])
    assert show(forty, keys[7]).key == keys[7]
    assert show(forty, keys[7][:12]).key == keys[7]
    assert show(forty, person(60).row["key"][:12]).key == person(60).row["key"]
    shared = next(a[0] for a, b in pairwise(keys) if a[0] == b[0])
    with pytest.raises(InputError, match=f"samples start with '{shared}': "):
        show(forty, shared)
    for nothing in ("", "xyz"):
        with pytest.raises(InputError, match="no sample"):
            show(forty, nothing)


def test_a_photo_is_named_to_see_what_was_decided_of_its_people(forty: Path) -> None:
    kept, gone = SAMPLES[3].row, person(60).row
    for named in (kept["source_path"], Path(kept["source_path"]).name):
        (shown,) = show(forty, named).people
        assert (shown["key"], shown["decision"], shown["reason"]) == (kept["key"], "kept", "")
    done = show(forty, gone["source_path"])
    assert [one["reason"] for one in done.people] == ["duplicate"]
    assert "rejected: duplicate" in done.text
    assert "looks like another" in done.text


def test_a_photo_tells_every_threshold_that_stands_in_the_way(tmp_path: Path) -> None:
    scores = {"consent": "", "blur": 0.2, "luminance": 0.05, "noise": 20.0, "mask_fraction": 0.9}
    near = person(0, mask_fraction=0.9)
    nearest = {"key": near.row["key"], "score_name": "mask_fraction", "threshold": 0.95, "margin": 0.05}
    gone = reject_of(person(1, **scores), reason="noisy", detail="noise is 20", score_name="noise", threshold=6.0)
    out = write(tmp_path / "set", [near, person(2)], [gone], sheet=False)
    overlay(out, "decided", [nearest])
    run = json.loads((out / "run.json").read_text())
    limits = {"blur.min": 0.34, "luminance.min": 0.06, "noise.max": 6.0, "mask.max": 0.95, "consent.min": 0.0}
    run["config"]["thresholds"] = limits
    (out / "run.json").write_text(json.dumps(run))
    text = show(out, person(1).row["source_path"]).text
    assert "rejected: noisy   noise is 20; also sharpness of the person is 0.2, below blur.min = 0.34; also" in text
    assert "below luminance.min = 0.06" in text
    assert text.count("; also") == 2
    assert "mask_fraction 0.9 is nearest to its threshold 0.95" in show(out, near.row["source_path"]).text


def test_a_file_with_the_bytes_of_a_photo_names_it_too(everything: BuildResult, tmp_path: Path) -> None:
    row = Dataset(everything.out, rejects=True)[0].row
    photo = next(path for path in FOLDER.rglob("*") if path.name == Path(row["source_path"]).name)
    (tmp_path / "renamed.jpg").write_bytes(photo.read_bytes())
    people = show(everything.out, str(tmp_path / "renamed.jpg")).people
    assert {one["source_path"] for one in people} == {row["source_path"]}


def test_the_record_in_words(forty: Path) -> None:
    row = SAMPLES[0].row
    text = show(forty, row["key"]).text
    lines = {line.split()[0]: line for line in text.splitlines() if line and not line.startswith(" ")}
    assert lines["source_path"].split()[1] == row["source_path"]
    assert "as built" not in lines["camera_yaw_deg"]
    assert lines["blur"].split()[1] == "0.125"
    assert f"[as built: {row['blur']:g}]" in lines["blur"]
    assert lines["weight"].split()[1] == "3"
    assert "0.125" not in show(forty, row["key"], revision="none").text
    at = text.splitlines().index(lines["cam2world"])
    matrix = [[float(number) for number in line.split()] for line in text.splitlines()[at + 1 : at + 5]]
    assert np.allclose(matrix, np.reshape(row["cam2world"], (4, 4)), atol=1e-3)


def test_a_reject_has_a_record_but_no_picture(forty: Path, tmp_path: Path) -> None:
    key = person(60).row["key"]
    assert "looks like another" in show(forty, key).text
    with pytest.raises(InputError, match="was rejected"):
        show(forty, key, out=tmp_path / "x.png")
    assert not (tmp_path / "x.png").exists()


def test_only_a_picture_that_phq_drew_is_written_over(forty: Path, tmp_path: Path) -> None:
    key, mine, drawn = SAMPLES[0].row["key"], tmp_path / "mine.png", tmp_path / "drawn.png"
    mine.write_bytes(b"mine")
    with pytest.raises(OutputError, match=r"mine\.png already exists"):
        show(forty, key, out=mine)
    assert mine.read_bytes() == b"mine"
    for name in ("x.jpg", "x", "manifest.parquet"):  # a redaction would not find it under such a name
        with pytest.raises(OutputError, match=r"ends in \.png"):
            show(forty, key, out=tmp_path / name)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine.png"]
    show(forty, key, out=drawn)
    first = drawn.read_bytes()
    show(forty, SAMPLES[1].row["key"], out=drawn)
    assert drawn.read_bytes() != first


def test_the_picture(everything: BuildResult, tmp_path: Path) -> None:
    """Crop, then mask outline and landmarks, then the body where the camera sees it; nothing is scaled."""
    dataset = Dataset(everything.out)
    item = max(dataset, key=lambda item: item.row["face_score"])
    panels = np.split(draw(item), 3, axis=1)
    size = item.row["image_size"]
    assert [panel.shape for panel in panels] == [(size, size, 3)] * 3
    assert np.array_equal(panels[0], item.image)
    changed = (panels[1] != item.image).any(-1)
    inside = np.pad(item.mask > 127, 1)
    edge = inside[1:-1, 1:-1] & ~(inside[:-2, 1:-1] & inside[2:, 1:-1] & inside[1:-1, :-2] & inside[1:-1, 2:])
    assert changed[edge].mean() > 0.99
    assert changed.mean() < 0.2
    K = np.diag([size, size, 1.0]) @ np.reshape(item.row["intrinsics"], (3, 3))
    x, y = np.floor(project(BODIES.drawn(item.row).vertices, K)).astype(int).T
    seen = (x >= 0) & (x < size) & (y >= 0) & (y < size)
    drawn = (panels[2] != item.image).any(-1)
    assert drawn[y[seen], x[seen]].mean() > 0.9
    shown = show(everything.out, item.key, out=tmp_path / "deep" / "sample.png")
    with Image.open(tmp_path / "deep" / "sample.png") as picture:
        assert np.array_equal(np.asarray(picture), np.hstack(panels))
    assert shown.picture == tmp_path / "deep" / "sample.png"
