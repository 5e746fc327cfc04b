"""Batches of `phq.dataset.loader.Loader`: pixels and labels, plain and mirrored, and how balancing evens out yaw."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from loader_dataset import write_heads
from tiny_datasets import tiny_sample, write_tiny

from phq.camera.angles import camera_angles
from phq.camera.convention import world2cam
from phq.camera.rotations import rotvec_to_rotmat
from phq.dataset.loader import Loader
from phq.dataset.loader.balance import balance_weights, yaw_weights
from phq.dataset.overlays import write_overlay
from phq.dataset.reader import Dataset
from phq.errors import ConfigError, InputError
from phq.schema import SMPL_JOINTS

M = np.diag([-1.0, 1.0, 1.0])
EVERYTHING = ("image", "mask", "camera", "pose", "smpl_pose")


@pytest.fixture(scope="module")
def heads(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return Dataset(write_heads(tmp_path_factory.mktemp("labels") / "heads", 40))


def one_epoch(dataset: Dataset, **options: Any) -> dict[tuple[str, bool], dict[str, Any]]:
    """What the Loader says of every entry of an epoch, by key and whether it is mirrored."""
    entries = {}
    for batch in Loader(dataset, 7, fields=EVERYTHING, **options):
        for i, key in enumerate(batch["key"]):
            entries[key, bool(batch["mirrored"][i])] = {name: values[i] for name, values in batch.items()}
    return entries


def project(points: np.ndarray, camera: np.ndarray) -> np.ndarray:
    """World points (N, 3) to (N, 2) on an image of side 1."""
    matrix, K = world2cam(camera[:16].reshape(4, 4)), camera[16:].reshape(3, 3)
    pixels = (points @ matrix[:3, :3].T + matrix[:3, 3]) @ K.T
    return pixels[:, :2] / pixels[:, 2:]


def test_a_batch_is_what_the_dataset_holds(heads: Dataset) -> None:
    rows = {row["key"]: row for row in heads.table.to_pylist()}
    entries = one_epoch(heads)
    assert {key for key, _ in entries} == set(heads.keys)
    for (key, mirrored), entry in entries.items():
        row = rows[key]
        assert not mirrored
        assert heads.keys[entry["index"]] == key
        np.testing.assert_array_equal(entry["image"].permute(1, 2, 0), heads[key].image)
        np.testing.assert_array_equal(entry["mask"], heads[key].mask)
        np.testing.assert_array_equal(entry["camera"], np.float32(row["cam2world"] + row["intrinsics"]))
        np.testing.assert_array_equal(entry["pose"], np.float32(row["neck_head_pose"]))
        np.testing.assert_array_equal(entry["smpl_pose"], np.float32(row["smpl_pose"]))


def test_shapes_types_and_memory(heads: Dataset) -> None:
    batch = next(iter(Loader(heads, 4)))
    assert {name: (tuple(v.shape), v.dtype) for name, v in batch.items() if name != "key"} == {
        "image": ((4, 3, 64, 64), torch.uint8),
        "mask": ((4, 64, 64), torch.uint8),
        "camera": ((4, 25), torch.float32),
        "pose": ((4, 6), torch.float32),
        "index": ((4,), torch.int64),
        "mirrored": ((4,), torch.bool),
    }
    assert batch["image"].is_contiguous(memory_format=torch.channels_last)


def test_labels_are_those_of_the_overlay_that_was_opened(heads: Dataset) -> None:
    as_built = Dataset(heads.root.where, revision="none")
    assert [item.row["camera_yaw_deg"] for item in as_built] != [item.row["camera_yaw_deg"] for item in heads]
    for dataset in (heads, as_built):
        entries = one_epoch(dataset, workers=1)
        for item in dataset:
            np.testing.assert_array_equal(entries[item.key, False]["pose"], np.float32(item.row["neck_head_pose"]))


def test_mirrored_pictures_are_the_pictures_backwards(heads: Dataset) -> None:
    entries = one_epoch(heads, mirror=True)
    assert len(entries) == 2 * len(heads)
    for key in heads.keys:
        plain, mirrored = entries[key, False], entries[key, True]
        np.testing.assert_array_equal(plain["image"].permute(1, 2, 0), heads[key].image)
        np.testing.assert_array_equal(mirrored["image"], plain["image"].flip(2))
        np.testing.assert_array_equal(mirrored["mask"], plain["mask"].flip(1))


def test_the_mirrored_camera_sees_the_mirrored_world_mirrored(heads: Dataset) -> None:
    points = np.random.default_rng(0).normal(0, 0.1, (20, 3))
    entries = one_epoch(heads, mirror=True)
    for key in heads.keys:
        plain, mirrored = (entries[key, m]["camera"].double().numpy() for m in (False, True))
        seen = project(points, plain)
        np.testing.assert_allclose(project(points @ M, mirrored), [1, 0] + [-1, 1] * seen, atol=1e-5)
        yaw, pitch, roll = camera_angles(plain[:16].reshape(4, 4))
        np.testing.assert_allclose(camera_angles(mirrored[:16].reshape(4, 4)), [-yaw, pitch, -roll], atol=1e-4)


def test_mirrored_joints_turn_as_their_mirror_images(heads: Dataset) -> None:
    other_side = [SMPL_JOINTS.index(_other_side(name)) for name in SMPL_JOINTS]
    entries = one_epoch(heads, mirror=True)
    for key in heads.keys:
        plain, mirrored = entries[key, False], entries[key, True]
        for name, joints in (("pose", [0, 1]), ("smpl_pose", other_side)):
            before = rotvec_to_rotmat(plain[name].double().reshape(-1, 3).numpy())
            after = rotvec_to_rotmat(mirrored[name].double().reshape(-1, 3).numpy())
            np.testing.assert_allclose(after[joints], M @ before @ M, atol=1e-5)


def _other_side(name: str) -> str:
    side, _, part = name.partition("_")
    return {"left": f"right_{part}", "right": f"left_{part}"}.get(side, name)


def test_pictures_are_resized(heads: Dataset) -> None:
    small = one_epoch(heads, size=16)
    for item in heads:
        means = item.image.reshape(16, 4, 16, 4, 3).mean((1, 3))
        np.testing.assert_allclose(small[item.key, False]["image"].permute(1, 2, 0), means, atol=0.51)
    assert one_epoch(heads, size=100)[heads.keys[0], False]["mask"].shape == (100, 100)


def test_pictures_of_several_sides_need_a_size(tmp_path: Path, heads: Dataset) -> None:
    write_tiny(tmp_path / "mixed", [tiny_sample(n) for n in range(4)])
    dataset = Dataset(tmp_path / "mixed")
    write_overlay(tmp_path / "mixed", "sides", [{"key": dataset.keys[1], "image_size": 32}], ["image_size"], {})
    mixed = Dataset(tmp_path / "mixed")
    with pytest.raises(InputError, match="sides from 32 to 64 pixels; choose one size"):
        Loader(mixed, 2)
    assert next(iter(Loader(mixed, 4, size=32)))["image"].shape == (4, 3, 32, 32)


def test_labels_alone_need_no_shards(tmp_path: Path) -> None:
    folder = write_heads(tmp_path / "heads", 9)
    dataset = Dataset(folder)
    for shard in (folder / "train").glob("*.tar"):
        shard.unlink()
    batches = list(Loader(dataset, 3, fields=("camera", "pose"), mirror=True, workers=1))
    assert sum(len(batch["key"]) for batch in batches) == 18
    assert set(batches[0]) == {"camera", "pose", "key", "index", "mirrored"}
    with pytest.raises(InputError, match=r"has no file train/phq-train-\d+-[0-9a-f]{12}\.tar"):
        next(iter(Loader(dataset, 3, fields=("mask",), workers=1)))


def sectors(yaws: np.ndarray) -> np.ndarray:
    """Samples in each of eight sectors of 45°."""
    return np.histogram(yaws, bins=np.arange(-180, 181, 45))[0]


@pytest.fixture(scope="module")
def uneven(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """1,000 entries for 36 samples, 10° apart: mostly fronts, more of them seen from the subject's left."""
    folder = tmp_path_factory.mktemp("uneven") / "heads"
    write_tiny(folder, [tiny_sample(n) for n in range(36)])
    yaws = np.arange(-175.0, 180, 10)
    labels = zip(Dataset(folder).keys, yaws, range(36), strict=True)
    rows = [{"key": key, "camera_yaw_deg": float(yaw), "weight": n % 3, "name": "a"} for key, yaw, n in labels]
    write_overlay(folder, "yaw", rows, ["camera_yaw_deg", "weight", "name"], {})
    density = np.exp(1.5 * np.cos(np.radians(yaws - 30)))
    return Dataset(folder).select(np.repeat(np.arange(36), np.rint(1000 * density / density.sum()).astype(int)))


def drawn(dataset: Dataset, **options: Any) -> tuple[np.ndarray, np.ndarray]:
    """Number and yaw of every entry of an epoch."""
    batches = list(Loader(dataset, 50, fields=(), **options))
    index = np.concatenate([batch["index"].numpy() for batch in batches])
    mirrored = np.concatenate([batch["mirrored"].numpy() for batch in batches])
    yaw = dataset.table["camera_yaw_deg"].to_numpy()[index]
    return index, np.where(mirrored, -yaw, yaw)


@pytest.mark.parametrize("mirror", [False, True])
def test_balancing_evens_out_yaw(uneven: Dataset, mirror: bool) -> None:
    before, after = (sectors(drawn(uneven, mirror=mirror, balance=balance)[1]) for balance in (None, "yaw"))
    assert before.sum() == after.sum() == (1 + mirror) * len(uneven)
    assert before.max() > 6 * before.min()
    assert after.max() < 1.6 * after.min()


def test_a_mirror_image_counts_at_the_opposite_yaw(uneven: Dataset) -> None:
    yaw = uneven.columns(["camera_yaw_deg"])["camera_yaw_deg"].to_numpy()
    both = balance_weights(uneven, "yaw", mirror=True)
    assert len(both) == 2 * len(yaw)
    np.testing.assert_allclose(both, yaw_weights(np.ravel(np.column_stack([yaw, -yaw]))))


def test_a_balanced_epoch_is_the_same_for_the_same_seed_and_another_for_another(uneven: Dataset) -> None:
    draws = [drawn(uneven, balance="yaw", seed=seed)[0].tolist() for seed in (4, 4, 5)]
    assert draws[0] == draws[1] != draws[2]


def test_a_lone_view_from_behind_is_not_repeated_without_end() -> None:
    weights = yaw_weights(np.array([180.0, *np.linspace(-40, 40, 999)]))
    assert weights[0] == weights.max()
    assert weights[0] < 0.05 * weights.sum()


def test_samples_of_a_column_of_weights_come_as_often_as_it_says(uneven: Dataset) -> None:
    times = np.bincount(drawn(uneven, balance="weight")[0], minlength=len(uneven))
    weights = uneven.table["weight"].to_numpy()
    np.testing.assert_allclose(times, weights / weights.mean(), atol=1)
    assert not times[weights == 0].any()


@pytest.mark.parametrize(
    ("balance", "error", "says"),
    [
        ("yow", ConfigError, "no column of that name; 'yaw' evens out yaw"),
        ("name", ConfigError, "holds no numbers"),
        ("cam2world", ConfigError, "holds no numbers"),
        ("camera_yaw_deg", InputError, "missing, infinite or below zero"),
        ("duplicates", ConfigError, "no column"),
    ],
)
def test_what_cannot_be_a_weight_is_said(uneven: Dataset, balance: str, error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        Loader(uneven, 2, balance=balance)


def test_weights_that_are_missing_or_all_zero_are_refused(tmp_path: Path) -> None:
    folder = write_heads(tmp_path / "heads", 8)
    keys = Dataset(folder).keys
    write_overlay(folder, "some", [{"key": keys[0], "part": 1.0}], ["part"], {})
    write_overlay(folder, "zero", [{"key": key, "none": 0} for key in keys], ["none"], {})
    for name, says in (("part", "missing"), ("none", "zero for all 8")):
        with pytest.raises(InputError, match=says):
            Loader(Dataset(folder), 2, balance=name)
