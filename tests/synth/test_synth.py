"""`phq synth`: whole datasets, the same whatever draws them, and resumed after a kill."""

from __future__ import annotations

import hashlib
import io
import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from file_faults import count_changes, kill_at
from PIL import Image
from typer.testing import CliRunner

from phq.camera.rotations import rotvec_to_rotmat
from phq.cli import app
from phq.curate.verify.verify import verify
from phq.dataset.reader import Dataset
from phq.errors import ConfigError, OutputError
from phq.synth.portrait import draw_portrait
from phq.synth.synthesising import sample_index, synthesise
from phq.synth.views import Spread, coarse_pose

NOISY = Spread(pose_noise=10)
COUNT = 5


def digests(out: Path) -> dict[str, str]:
    """Of every file, by name; run.json too, since it has no times in it."""
    files = sorted(path for path in out.rglob("*") if path.is_file())
    return {str(path.relative_to(out)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def members(out: Path) -> dict[str, tuple[bytes, ...]]:
    """jpg, json and mask of every sample by its name."""
    dataset = Dataset(out, revision="none")
    return {item.row["source_path"]: tuple(item.read(m) for m in ("jpg", "json", "mask.png")) for item in dataset}


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("synth") / "set"
    synthesise(out, COUNT, size=64, seed=1, val=0.3, spread=NOISY, workers=1)
    return out


def test_the_dataset_is_sound_and_has_everything_beside_it(drawn: Path) -> None:
    assert verify(drawn, workers=1).violations == []
    names = {path.name for path in drawn.iterdir()}
    assert names >= {"README.md", "contact-sheet.png", "croissant.json", "manifest.parquet", "run.json", "train"}
    assert "CC0-1.0" in (drawn / "README.md").read_text()
    run = json.loads((drawn / "run.json").read_text())
    assert run["details"]["spread"] == {"pitch": 10.0, "roll": 4.0, "turn": 25.0, "pose_noise": 10.0}
    assert run["counts"] == {"photos": COUNT, "people": COUNT, "kept": COUNT, "rejected": {}}


def test_records_state_what_drawing_fixes_and_claim_nothing_else(drawn: Path) -> None:
    for item in Dataset(drawn, revision="none"):
        row = item.row
        portrait = draw_portrait(1, sample_index(row["source_path"]), NOISY)
        np.testing.assert_allclose(row["cam2world"], portrait.view.cam2world.ravel(), atol=1e-9)
        np.testing.assert_allclose(row["smpl_pose"], portrait.view.pose.ravel(), atol=1e-6)
        np.testing.assert_allclose(row["smpl_betas"], portrait.look.betas, atol=1e-6)
        assert (row["licence"], row["source"], row["identity"]) == ("CC0-1.0", "phq synth", row["source_path"])
        assert (row["detectors"], row["detection_score"], row["camera_convention"]) == ("synth", 1, "phq-neck/1")
        assert row["body_model"] == "phq-body-1"
        assert all(row["pose_observed"])
        assert (row["p_flip"], row["yaw_sigma_deg"], row["padding_fraction"], row["face_found"]) == (0, 0, 0, False)
        assert not any(row["keypoints_2d"])
        assert item.image.shape == (64, 64, 3)
        assert row["mask_fraction"] == pytest.approx((item.mask > 0).mean(), abs=1e-6)
        assert item.image[item.mask > 0].std() > 5


def test_a_sample_depends_on_seed_and_number_alone(drawn: Path, tmp_path: Path) -> None:
    synthesise(tmp_path / "more", COUNT + 3, size=64, seed=1, workers=1)
    synthesise(tmp_path / "other", 2, size=64, seed=2, workers=1)
    fewer, more = members(drawn), members(tmp_path / "more")
    assert len(more) == COUNT + 3
    assert {name: more[name] for name in fewer} == fewer
    assert len({jpg for jpg, _, _ in more.values()}) == COUNT + 3
    assert not {jpg for jpg, _, _ in members(tmp_path / "other").values()} & {jpg for jpg, _, _ in more.values()}


def test_the_number_of_workers_changes_nothing(drawn: Path, tmp_path: Path) -> None:
    synthesise(tmp_path / "two", COUNT, size=64, seed=1, val=0.3, spread=NOISY, workers=2)
    assert digests(tmp_path / "two") == digests(drawn)


def test_the_size_of_the_pictures_changes_no_label(drawn: Path, tmp_path: Path) -> None:
    synthesise(tmp_path / "large", 3, size=128, seed=1, workers=1)
    small = {row.row["source_path"]: row for row in Dataset(drawn, revision="none")}
    for item in Dataset(tmp_path / "large"):
        twin = small[item.row["source_path"]]
        for name in ("cam2world", "smpl_pose", "smpl_betas", "smpl_transl", "intrinsics", "head_yaw_deg"):
            assert item.row[name] == twin.row[name]
        halved = np.asarray(Image.fromarray(item.image).resize((64, 64), Image.Resampling.BOX), float)
        assert np.abs(halved - twin.image).mean() < 6
        assert ((item.mask[::2, ::2] > 0) != (twin.mask > 0)).mean() < 0.03


def test_a_killed_call_is_continued_to_the_same_bytes(tmp_path: Path) -> None:
    """Killed early, between the units, and often at the end: tables, manifest, overlay."""

    def work(out: Path) -> Any:
        return lambda: synthesise(out, COUNT, size=64, seed=1, val=0.3, spread=NOISY, workers=1)

    total = count_changes(tmp_path, work(tmp_path / "whole"))
    whole = digests(tmp_path / "whole")
    for number in (1, 8, *range(total - 22, total, 5)):
        out = tmp_path / f"killed{number}"
        assert not kill_at(number, tmp_path, work(out))
        with suppress(OutputError):  # "already holds a dataset": nothing was left but to remove the work folder
            work(out)()
        assert digests(out) == whole


def test_coarse_poses_are_an_overlay_and_the_exact_ones_stay(drawn: Path) -> None:
    exact, coarse = Dataset(drawn, revision="none"), Dataset(drawn)
    assert coarse.overlays == ["coarse"]
    for one, other in zip(exact, coarse, strict=True):
        true, stated = (np.reshape(item.row["smpl_pose"], (24, 3)) for item in (one, other))
        changed = np.flatnonzero(np.abs(true - stated).max(1) > 0)
        assert changed.tolist() == [12, 15]
        assert other.row["neck_head_pose"] == other.row["smpl_pose"][36:39] + other.row["smpl_pose"][45:48]
        assert other.row["cam2world"] == one.row["cam2world"]
        assert other.row["head_yaw_deg"] != one.row["head_yaw_deg"]


def test_pose_noise_has_the_size_asked_for() -> None:
    pose = draw_portrait(0, 0, Spread()).view.pose
    noisy = np.stack([coarse_pose(np.random.default_rng(seed), pose, 10.0) for seed in range(2000)])
    turn = np.swapaxes(rotvec_to_rotmat(pose[[12, 15]]), -1, -2) @ rotvec_to_rotmat(noisy[:, [12, 15]])
    angle = np.degrees(np.arccos(np.clip((np.trace(turn, axis1=-2, axis2=-1) - 1) / 2, -1, 1)))
    assert angle.mean(0) == pytest.approx(10 * np.sqrt(8 / np.pi), rel=0.05)
    assert np.abs(noisy - noisy[:1])[:, [0, 9, 16]].max() == 0


def test_without_noise_there_is_no_overlay(tmp_path: Path) -> None:
    done = synthesise(tmp_path, 1, size=64, workers=1)
    assert done.overlays == []
    assert not (tmp_path / "overlays").exists()


def test_what_cannot_be_is_refused_in_a_sentence(drawn: Path, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="already holds a dataset"):
        synthesise(drawn, COUNT, size=64, seed=1, spread=NOISY)
    with pytest.raises(ConfigError, match="count = 0"):
        synthesise(tmp_path / "a", 0)
    with pytest.raises(ConfigError, match="size = 32"):
        synthesise(tmp_path / "b", 1, size=32)
    with pytest.raises(ConfigError, match="val_fraction"):
        synthesise(tmp_path / "c", 1, val=1.0)
    assert list(tmp_path.iterdir()) == []


def test_the_command(tmp_path: Path) -> None:
    arguments = ["synth", str(tmp_path / "out"), "--count", "2", "--size", "64", "--pose-noise", "5", "--workers", "1"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    assert "2 portraits" in result.output
    assert "overlay coarse" in result.output
    sheet = Image.open(io.BytesIO((tmp_path / "out" / "contact-sheet.png").read_bytes()))
    assert sheet.size == (1024, 256 + 56)  # a row of people below the legend
