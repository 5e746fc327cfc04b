"""What a run reads: several datasets as one, in one order for all processes, and refusals in one sentence."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny_datasets import write_tiny
from training_dataset import write_portraits

from phq.dataset.overlays import write_overlay
from phq.errors import ConfigError, InputError
from phq.generator.train.config import Training
from phq.generator.train.data import Feed
from phq.generator.train.mixture import Mixture, open_mixture
from phq.generator.train.ranks import Ranks

SIDE = 32
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """A dataset of 12, and one of 4 other pictures."""
    folder = tmp_path_factory.mktemp("two")
    write_portraits(folder / "many", 12)
    write_portraits(folder / "few", 4, source_path="elsewhere")
    return [str(folder / "many"), str(folder / "few")]


def mixed(paths: list[str], overlays: list[str] | None = None, shares: tuple[float, ...] = (), **more: Any) -> Mixture:
    return open_mixture(paths, SIDE, overlays or [], more.get("split", "train"), shares, more.get("balance", ""))


def training(**changes: Any) -> Training:
    return Training(**{"batch": 4, "part": 2, **changes})


def feed(mixture: Mixture, settings: Training, rank: int = 0, world: int = 1) -> Feed:
    return Feed(mixture, settings, SIDE, Ranks(rank, world, CPU))


def test_a_mixture_is_its_datasets_one_after_the_other(two: list[str]):
    mixture = mixed(two)
    assert len(mixture) == 16
    assert mixture.keys == [key for dataset in mixture.datasets for key in dataset.keys]
    assert mixture.read(13) == mixture.datasets[1].read(1)
    assert mixture[3].key == mixture.datasets[0].keys[3]
    poses = mixture.columns(["neck_head_pose"])["neck_head_pose"].to_pylist()
    assert poses[12] == mixture.datasets[1][0].row["neck_head_pose"]
    with pytest.raises(IndexError):
        mixture.read(16)


def test_every_picture_of_all_once_an_epoch(two: list[str]):
    stream = feed(mixed(two), training()).streams["real"]
    seen = Counter[tuple[str, bool]]()
    for _ in range(8):
        batch = stream.take()
        seen.update(zip(batch["key"], batch["mirrored"].tolist(), strict=True))
    keys = Counter(mixed(two).keys)
    assert seen == Counter({(key, side): count for key, count in keys.items() for side in (False, True)})
    assert stream.loader.epoch <= 1


def test_shares_say_how_much_of_a_batch_each_dataset_gives(two: list[str]):
    stream = feed(mixed(two, shares=(0.25, 0.75)), training()).streams["real"]
    from_few = np.concatenate([stream.take()["index"].numpy() >= 12 for _ in range(80)])
    assert from_few.mean() == pytest.approx(0.75, abs=0.03)


def test_processes_share_one_order_and_their_samples_numbers(two: list[str]):
    alone, pair = feed(mixed(two), training()), [feed(mixed(two), training(), rank, 2) for rank in (0, 1)]
    for count in (0, 4, 8):
        whole, halves = alone.real(), [part for rank in pair for part in rank.real()]
        assert [torch.equal(a.image, b.image) for a, b in zip(whole, halves, strict=True)] == [True, True]
        whole, halves = alone.conditions(count), [part for rank in pair for part in rank.conditions(count)]
        assert [part.numbers for part in whole] == [part.numbers for part in halves]
        assert [part.numbers for part in whole] == [range(count, count + 2), range(count + 2, count + 4)]
        assert all(torch.equal(a.camera, b.camera) for a, b in zip(whole, halves, strict=True))


def test_pictures_masks_and_labels_fit_together(two: list[str]):
    source = feed(mixed(two[:1]), training(mirror=False))
    state = source.streams["real"].state()
    keys = source.streams["real"].take()["key"]
    source.streams["real"].restore(state)
    (first, second), dataset = source.real(), mixed(two[:1]).datasets[0]
    for part, row, key in ((first, 0, keys[0]), (first, 1, keys[1]), (second, 0, keys[2])):
        stored = dataset[key]
        assert part.image.shape == (2, 3, SIDE, SIDE)
        assert part.mask.shape == (2, 1, SIDE, SIDE)
        means = stored.image.reshape(SIDE, 2, SIDE, 2, 3).mean(axis=(1, 3)) / 127.5 - 1
        assert np.abs(part.image[row].permute(1, 2, 0).numpy() - means).max() < 0.01
        assert float(part.mask.min()) >= 0
        assert float(part.mask.max()) <= 1
        assert part.camera[row, :16].tolist() == pytest.approx(stored.row["cam2world"])
        assert part.coarse[row].tolist() == pytest.approx(stored.row["neck_head_pose"])


def test_fakes_are_wanted_for_cameras_with_their_coarse_pose_mirrored_too(two: list[str]):
    source, dataset = feed(mixed(two[:1]), training()), mixed(two[:1]).datasets[0]
    poses = np.array([item.row["neck_head_pose"] for item in dataset])
    sides = set()
    for part in source.conditions(0) + source.conditions(4):
        for camera, pose in zip(part.camera.tolist(), part.coarse.tolist(), strict=True):
            distance = np.abs(np.abs(poses) - np.abs(pose)).max(axis=1)  # mirroring changes signs alone
            stored = dataset[int(distance.argmin())].row
            mirrored = not np.allclose(stored["neck_head_pose"], pose)
            assert distance.min() < 1e-6
            assert camera[3] == pytest.approx(stored["cam2world"][3] * (-1 if mirrored else 1))
            sides.add(mirrored)
    assert sides == {True, False}


def test_a_stream_goes_on_where_it_was(two: list[str]):
    source = feed(mixed(two), training()).streams["real"]
    for _ in range(5):
        source.take()
    state = source.state()
    expected = [source.take()["key"] for _ in range(9)]  # past the end of the epoch
    again = feed(mixed(two), training()).streams["real"]
    again.restore(state)
    assert [again.take()["key"] for _ in range(9)] == expected
    other = feed(mixed(two[:1]), training()).streams["real"]
    with pytest.raises(InputError, match="other samples"):
        other.restore(state)


def test_overlays_for_all_or_for_each(two: list[str], tmp_path: Path):
    folders = [write_portraits(tmp_path / name, 4) for name in "ab"]
    keys = mixed([str(folders[0])]).keys
    rows = [{"key": key, "neck_head_pose": [0.5] * 6} for key in keys]
    write_overlay(folders[0], "truth", rows, ("neck_head_pose",), {"command": "test"})
    paths = [str(folder) for folder in folders]

    def first(overlays: list[str]) -> float:
        return mixed(paths, overlays).columns(["neck_head_pose"])["neck_head_pose"][0].as_py()[0]

    assert first([]) == first(["truth", "none"]) == first(["latest"]) == 0.5
    assert first(["none"]) != 0.5
    with pytest.raises(ConfigError, match="--revision is given 3 times for 2 datasets"):
        mixed(paths, ["none", "none", "none"])
    with pytest.raises(ConfigError, match=r"training\.shares is given 1 times for 2"):
        mixed(paths, shares=(1.0,))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"mask_fraction": 1.0, "mask_confidence": 0.0}, "5 of the 5 samples of .* have no mask"),
        ({"neck_head_pose": [0.0] * 6}, "no sample of .* has a neck and head pose"),
        ({"image_size": 16}, "pictures of 16 pixels and the model makes 32"),
        ({"split": "val"}, "no samples in this split"),
    ],
)
def test_a_dataset_that_lacks_something(tmp_path: Path, changes: dict[str, Any], sentence: str):
    folder = write_portraits(tmp_path / "poor", 5, **changes)
    with pytest.raises(InputError, match=sentence) as caught:
        mixed([str(folder)])
    assert "\n" not in str(caught.value)


def test_heads_and_busts_do_not_mix(two: list[str], tmp_path: Path):
    heads = write_portraits(tmp_path / "heads", 5, camera_convention="phq-neck-window/1")
    mixed([str(heads)])
    with pytest.raises(InputError, match="cannot be mixed"):
        mixed([two[0], str(heads)])


def test_fewer_pictures_than_a_batch(two: list[str]):
    with pytest.raises(ConfigError, match="gives 8 pictures an epoch, less than a batch of 12"):
        feed(mixed(two[1:]), training(batch=12))


def test_no_dataset_at_all(tmp_path: Path):
    with pytest.raises(InputError, match="is not a folder"):
        mixed([str(tmp_path / "nowhere")])
    (tmp_path / "empty").mkdir()
    write_tiny(tmp_path / "empty", [])
    with pytest.raises(InputError, match="nothing to train on"):
        mixed([str(tmp_path / "empty")])
