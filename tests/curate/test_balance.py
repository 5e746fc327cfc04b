"""Balancing: the weighted directions are even, the floor and the cap hold, and the loader reads by it."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from curated_datasets import files, person, write
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from phq.camera.angles import camera_angles, part_angles, wrap_deg
from phq.camera.convention import orbit, world2cam
from phq.camera.rotations import rotvec_to_rotmat
from phq.cli import app
from phq.curate.balance.balancing import WEIGHT, balance
from phq.curate.balance.fill import draw, fill, spread
from phq.curate.balance.head_pose import head_to_torso
from phq.curate.balance.target import YAW_BINS, cells, yaw_bin
from phq.curate.verify.verify import verify
from phq.dataset.reader import Dataset
from phq.errors import ConfigError, InputError
from phq.view.stats import ANGLES

COUNT = 240


def a_yaw(number: int) -> float:
    """Three quarters about the front, the rest all round: −180° to 180°."""
    rng = np.random.default_rng(number)
    return float(rng.normal(0, 35)) if number % 4 else float(rng.uniform(-180, 180))


@pytest.fixture(scope="module")
def samples() -> list[object]:
    made = []
    for number in range(COUNT):
        rng = np.random.default_rng([1, number])
        pose = [0.0, float(rng.normal(0, 0.5)), 0.0, float(rng.normal(0, 0.3)), 0.0, 0.0]
        camera = orbit(wrap_deg(a_yaw(number)), float(rng.normal(0, 12)))
        angles = dict(zip(ANGLES[:3], camera_angles(camera), strict=True))
        changes = {"cam2world": camera, "neck_head_pose": pose, "blur": number % 8 / 8, **angles}
        sample = person(number, "val" if number % 10 == 0 else "train", **changes)
        made.append(sample)
    return made


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory, samples: list[object]) -> Path:
    return write(tmp_path_factory.mktemp("balance") / "dataset", samples, sheet=False)  # type: ignore[arg-type]


@pytest.fixture
def uneven(tmp_path: Path, written: Path) -> Path:
    return Path(shutil.copytree(written, tmp_path / "dataset"))


def weights_of(folder: Path, split: str = "train") -> tuple[np.ndarray, np.ndarray]:
    """Yaws and weights of a split."""
    table = Dataset(folder, split=split).columns(["camera_yaw_deg", WEIGHT])
    return table["camera_yaw_deg"].to_numpy(), table[WEIGHT].to_numpy()


def test_every_direction_weighs_the_same_and_nothing_weighs_more_than_the_cap(uneven: Path) -> None:
    before = files(uneven)
    done = balance(uneven, "uniform-yaw", cap=20)
    yaw, weight = weights_of(uneven)
    by_direction = np.bincount(yaw_bin(yaw), weight, YAW_BINS)
    occupied = np.bincount(yaw_bin(yaw), minlength=YAW_BINS) > 0
    assert by_direction[occupied] == pytest.approx(weight.sum() / occupied.sum(), rel=1e-4)
    assert weight.mean() == pytest.approx(1, rel=1e-4)
    assert weight.max() <= 20
    assert (weight > 0).all()
    assert done.effective == pytest.approx(weight.sum() ** 2 / (weight**2).sum(), rel=1e-4)
    assert done.effective < len(weight) == done.samples
    assert done.empty == (~occupied).sum()
    changed = {name for name, content in files(uneven).items() if content != before.get(name)}
    assert changed == {"run.json", "overlays/balance.parquet"}
    assert verify(uneven, workers=1).violations == []


def test_within_a_direction_pitch_is_evened_out_too(uneven: Path) -> None:
    balance(uneven, "uniform-yaw", cap=1000)
    table = Dataset(uneven, split="train").columns(["camera_yaw_deg", "camera_pitch_deg", WEIGHT])
    yaw, pitch, weight = (column.to_numpy() for column in table.columns)
    front = yaw_bin(yaw) == yaw_bin(np.zeros(1))
    pitch_bin = np.clip(np.floor(pitch / 15 + 0.5), -2, 2)[front]
    masses = [weight[front][pitch_bin == b].sum() for b in sorted(set(pitch_bin.tolist()))]
    assert len(masses) > 2
    assert masses == pytest.approx([masses[0]] * len(masses), rel=1e-4)


def test_a_low_cap_keeps_the_sample_effective_and_the_directions_less_even(uneven: Path) -> None:
    loose, tight = (balance(uneven, "uniform-yaw", name, cap=cap) for name, cap in (("loose", 50), ("tight", 2)))
    assert tight.largest <= 2 < loose.largest
    assert tight.effective > loose.effective
    assert np.ptp(tight.after) > np.ptp(loose.after)
    assert np.ptp(tight.after) < np.ptp(tight.before)


def test_the_front_half_gets_r_times_the_back_half(uneven: Path) -> None:
    done = balance(uneven, "front-back=2", cap=50)
    yaw, weight = weights_of(uneven)
    front = np.abs(yaw) < 90
    assert weight[front].sum() / weight[~front].sum() == pytest.approx(2, rel=1e-4)
    assert done.front(done.after) == pytest.approx(2 / 3, rel=1e-4)
    assert done.front(done.before) > 0.75
    near = np.abs(yaw) < 15
    assert weight[near].sum() / weight[front].sum() == pytest.approx(near.sum() / front.sum(), rel=1e-4)


def test_below_the_floor_nothing_is_drawn(uneven: Path) -> None:
    done = balance(uneven, "uniform-yaw", quality_min=["blur=0.5", "camera_pitch_deg=-20"])
    table = Dataset(uneven).columns(["blur", "camera_pitch_deg", WEIGHT]).to_pylist()
    for row in table:
        assert (row[WEIGHT] > 0) == (row["blur"] >= 0.5 and row["camera_pitch_deg"] >= -20)
    assert done.below_floor == done.samples - done.chosen > 0


def test_a_subset_has_the_size_asked_for_is_even_and_depends_on_the_seed_alone(uneven: Path) -> None:
    done = balance(uneven, "uniform-yaw", "a", subset=60, seed=3)
    yaw, weight = weights_of(uneven)
    again, other = (balance(uneven, "uniform-yaw", name, subset=60, seed=seed) for name, seed in (("b", 3), ("c", 4)))
    states = [Dataset(uneven, revision=name, where=f"{WEIGHT} > 0") for name in ("a", "b", "c")]
    assert set(weight) == {0.0, 1.0}
    assert [len(state) for state in states] == [60, 60, 60]
    assert len(states[0].filter("split = 'val'")) == 6
    assert states[0].keys == states[1].keys != states[2].keys
    chosen, everything = (np.bincount(yaw_bin(y), minlength=YAW_BINS) for y in (yaw[weight > 0], yaw))
    even = spread(54.0, yaw_bin(yaw)[:, None], 1.0, lambda bins, _: np.ones(len(bins)))
    wanted = np.bincount(yaw_bin(yaw), even, YAW_BINS)
    assert (np.abs(chosen - wanted) < 1 + 1e-6).all()
    assert chosen.max() < everything.max() / 2
    assert again.effective == other.effective == done.effective == done.chosen


def test_the_loader_draws_by_it(uneven: Path) -> None:
    from phq.dataset.loader import Loader

    balance(uneven, "front-back=1", cap=50)
    dataset = Dataset(uneven, split="train")
    loader = Loader(dataset, 8, balance=WEIGHT, fields=("camera",), seed=5)
    drawn = np.concatenate([batch["index"].numpy() for _ in range(10) for batch in loader])
    yaw = dataset.columns(["camera_yaw_deg"])["camera_yaw_deg"].to_numpy()
    assert (np.abs(yaw[drawn]) < 90).mean() == pytest.approx(0.5, abs=0.01)
    assert (np.abs(yaw) < 90).mean() > 0.75


def test_the_same_call_gives_the_same_bytes(tmp_path: Path, written: Path) -> None:
    content = []
    for name in ("one", "two"):
        folder = shutil.copytree(written, tmp_path / name)
        balance(folder, "uniform-yaw", subset=50, seed=2)
        content.append((folder / "overlays/balance.parquet").read_bytes())
    assert content[0] == content[1]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"target": "uniform"}, "expected uniform-yaw"),
        ({"target": "front-back=0"}, "above 0"),
        ({"target": "front-back=nan"}, "above 0"),
        ({"cap": 0.5}, "at least 1"),
        ({"quality_min": ["blur>1"]}, "SCORE=VALUE"),
        ({"quality_min": ["source_path=1"]}, "does not hold numbers"),
        ({"subset": 1000}, "expected 1 to 240"),
    ],
)
def test_settings_that_cannot_be(uneven: Path, change: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        balance(uneven, **{"target": "uniform-yaw", **change})  # type: ignore[arg-type]


def test_a_name_in_use_no_sample_and_no_such_column(uneven: Path) -> None:
    balance(uneven, "uniform-yaw")
    for change, message in (
        ({}, "already has an overlay"),
        ({"name": "x", "quality_min": ["blur=9"]}, "no samples that reach blur=9"),
        ({"name": "x", "quality_min": ["blurr=0"]}, "blurr"),
    ):
        with pytest.raises(InputError, match=message):
            balance(uneven, "uniform-yaw", **change)  # type: ignore[arg-type]


def test_what_is_said(uneven: Path) -> None:
    words = ["balance", str(uneven), "--name", "even", "--target", "uniform-yaw", "--quality-min", "blur=0.5"]
    said = CliRunner().invoke(app, words).output
    assert "train: 108 of 216 samples   108 below the floor" in said
    assert "effective sample size" in said


def slow_fill(total: float, shares: list[float], capacities: list[float]) -> list[float]:
    """The level found by halving."""
    low, high = 0.0, 1e9
    for _ in range(200):
        middle = (low + high) / 2
        if sum(min(c, middle * s) for s, c in zip(shares, capacities, strict=True)) < total:
            low = middle
        else:
            high = middle
    return [min(c, high * s) for s, c in zip(shares, capacities, strict=True)]


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(0.01, 10), st.floats(0.1, 10)), min_size=1, max_size=8), st.floats(0.01, 0.99))
def test_filling_adds_up_and_is_proportional_below_the_capacities(bins: list[tuple[float, float]], part: float) -> None:
    shares, capacities = (np.array(column) for column in zip(*bins, strict=True))
    total = part * capacities.sum()
    masses = fill(total, shares, capacities)
    assert masses.sum() == pytest.approx(total)
    assert masses == pytest.approx(np.array(slow_fill(total, shares.tolist(), capacities.tolist())), abs=1e-6)


@settings(deadline=None)
@given(st.integers(1, 60), st.integers(0, 10**6), st.data())
def test_a_draw_takes_exactly_as_many_as_the_weights_sum_to(count: int, seed: int, data: st.DataObject) -> None:
    size = data.draw(st.integers(1, count))
    bins = np.random.default_rng(seed).integers(0, 3, (count, 2))
    weights = spread(float(size), bins, 1.0, lambda occupied, _: np.ones(len(occupied)))
    drawn = draw(weights, bins, seed)
    assert drawn.sum() == size
    assert drawn[weights > 1 - 1e-9].all()


def test_a_draw_does_not_favour_bins_that_come_round_again_and_again() -> None:
    bins = np.stack([np.repeat(np.arange(40), 30), np.tile(np.repeat(np.arange(10), 3), 40)], axis=1)
    weights = spread(200.0, bins, 1.0, lambda occupied, _: np.ones(len(occupied)))
    for seed in range(5):
        drawn = draw(weights, bins, seed)
        assert np.bincount(bins[drawn, 0]).tolist() == [5] * 40
        assert np.bincount(bins[drawn, 1]).max() < 40, "20 each on average"


def test_head_against_torso_is_what_lies_between_their_cameras() -> None:
    for yaw, turn in ((0.0, 30.0), (100.0, -40.0), (-170.0, 20.0)):
        pose = np.array([0, np.radians(turn / 2), 0, 0, np.radians(turn / 2), 0])
        camera = orbit(yaw)
        to_cam, (neck, head) = world2cam(camera), rotvec_to_rotmat(pose.reshape(2, 3))
        seen = part_angles(to_cam[:3, :3] @ neck @ head, to_cam[:3, 3])
        turned, nod = head_to_torso(pose)
        assert turned[0] == pytest.approx(turn)
        assert nod[0] == pytest.approx(0, abs=1e-9)
        assert wrap_deg(yaw - turned[0]) == pytest.approx(seen[0], abs=1e-6)
    up = head_to_torso([-0.3, 0, 0, 0, 0, 0])[1]
    assert up[0] == pytest.approx(np.degrees(0.3)), "the face looks up"


def test_cells_are_centred_on_zero_and_open_outside() -> None:
    near = cells(np.array([3.0, 4.0]), np.array([-7.0, 7.0]), np.array([-14.0, 14.0]), np.array([-14.0, 14.0]))
    far = cells(np.array([3.0, 4.0]), np.array([40.0, 80.0]), np.array([70.0, 170.0]), np.array([31.0, 90.0]))
    assert (near[0] == near[1]).all()
    assert (far[0] == far[1]).all()
    assert (near[0] != far[0]).any()
