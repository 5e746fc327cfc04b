"""`phq.dataset.loader.Loader`: every entry once, in one order, over ranks, workers, epochs, kills and resumptions."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from loader_dataset import write_heads
from tiny_datasets import tiny_samples, write_tiny
from torch import distributed

from phq.dataset.loader import Loader
from phq.dataset.reader import Dataset
from phq.errors import ConfigError, InputError

ROOT = Path(__file__).parents[2]
N = 26
Entry = tuple[str, bool]


@pytest.fixture(scope="module")
def heads(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return Dataset(write_heads(tmp_path_factory.mktemp("loader") / "heads", N))


def entries(batch: dict[str, Any]) -> list[Entry]:
    return list(zip(batch["key"], batch["mirrored"].tolist(), strict=True))


def global_order(loaders: list[Loader]) -> list[Entry]:
    """What is left of the epoch: the batches of all ranks, step by step and rank after rank."""
    ranks: list[Iterator[dict[str, Any]]] = [iter(loader) for loader in loaders]
    order: list[Entry] = []
    while step := [entries(batch) for rank in ranks if (batch := next(rank, None))]:
        order += [entry for batch in step for entry in batch]
    return order


def test_a_folder_is_opened(heads: Dataset) -> None:
    folder = str(heads.root.local)
    assert global_order([Loader(folder, 5, fields=())]) == global_order([Loader(heads, 5, fields=())])


def ranks(dataset: Dataset, number: int, batch_size: int, **options: Any) -> list[Loader]:
    return [Loader(dataset, batch_size, rank=rank, world_size=number, **options) for rank in range(number)]


@pytest.mark.parametrize("mirror", [False, True])
@pytest.mark.parametrize(("world_size", "workers"), [(1, 0), (1, 2), (2, 1), (3, 0), (3, 2)])
def test_ranks_and_workers_share_one_order(heads: Dataset, world_size: int, workers: int, mirror: bool) -> None:
    wanted = global_order(ranks(heads, 1, 5, mirror=mirror, fields=()))
    assert sorted(wanted) == sorted((key, side) for key in heads.keys for side in ([False, True][: 1 + mirror]))
    found = global_order(ranks(heads, world_size, 4, mirror=mirror, workers=workers, fields=("mask",)))
    assert found == wanted


@pytest.mark.parametrize("options", [{"workers": 2}, {"workers": 1, "multiprocessing_context": "spawn"}])
def test_workers_give_the_same_batches(heads: Dataset, options: dict[str, Any]) -> None:
    pairs = zip(Loader(heads, 5, mirror=True), Loader(heads, 5, mirror=True, **options), strict=True)
    for one, other in pairs:
        assert one["key"] == other["key"]
        assert all(torch.equal(one[name], other[name]) for name in one if name != "key")


def test_an_epoch_after_the_other_in_another_order(heads: Dataset) -> None:
    loader = Loader(heads, 5, workers=2, fields=())
    first, second = ([entry for batch in loader for entry in entries(batch)] for _ in range(2))
    assert loader.epoch == 2
    assert sorted(first) == sorted(second)
    assert first != second


def test_the_short_step_is_shared_out_or_left_out(heads: Dataset) -> None:
    sizes = [[len(batch["key"]) for batch in loader] for loader in ranks(heads, 2, 4, fields=())]
    assert sizes == [[4, 4, 4, 1]] * 2
    kept = ranks(heads, 2, 4, fields=(), drop_last=True)
    assert [[len(batch["key"]) for batch in loader] for loader in kept] == [[4, 4, 4]] * 2
    assert [len(loader) for loader in kept] == [3, 3]


def leave(loader: Loader, batches: int) -> dict[str, int]:
    """The state after so many batches, as a checkpoint has it."""
    running = iter(loader)
    for _ in islice(running, batches):
        pass
    return dict(json.loads(json.dumps(loader.state_dict())))


@pytest.mark.parametrize(("world_size", "batch_size", "workers"), [(1, 4, 0), (1, 3, 2), (2, 4, 1), (5, 2, 0)])
def test_another_number_of_ranks_or_workers_goes_on_with_the_same_order(
    heads: Dataset, world_size: int, batch_size: int, workers: int
) -> None:
    wanted = global_order(ranks(heads, 1, 4, mirror=True, seed=3, fields=()))
    states = [leave(loader, 3) for loader in ranks(heads, 2, 4, mirror=True, seed=3, workers=1)]
    assert states[0] == states[1]
    resumed = ranks(heads, world_size, batch_size, mirror=True, workers=workers)
    for loader in resumed:
        loader.load_state_dict(states[0])
    assert global_order(resumed) == wanted[24:]


def test_batches_made_ahead_do_not_count(heads: Dataset) -> None:
    loader = Loader(heads, 3, workers=2, prefetch=4)
    running = iter(loader)
    assert loader.state_dict()["position"] == 0
    for batches in (1, 2):
        next(running)
        assert loader.state_dict()["position"] == 3 * batches


@pytest.mark.parametrize("workers", [0, 2])
def test_a_loop_that_was_left_goes_on_where_it_was(heads: Dataset, workers: int) -> None:
    wanted = global_order(ranks(heads, 1, 3, fields=()))
    loader = Loader(heads, 3, workers=workers, fields=("image",))
    first = [entry for batch in islice(loader, 4) for entry in entries(batch)]
    assert (len(loader), loader.epoch) == (5, 0)
    assert first + global_order([loader]) == wanted


@pytest.mark.parametrize("workers", [0, 2])
def test_a_loop_that_another_has_overtaken_gives_nothing_twice(heads: Dataset, workers: int) -> None:
    wanted = global_order(ranks(heads, 1, 3, fields=()))
    loader = Loader(heads, 3, workers=workers, fields=("image",))
    first = iter(loader)
    seen = entries(next(first))
    second = iter(loader)
    seen += entries(next(second))
    with pytest.raises(RuntimeError, match="another was begun"):
        next(first)
    assert seen + [entry for batch in second for entry in entries(batch)] == wanted


def test_a_state_that_is_loaded_inside_a_loop_ends_it(heads: Dataset) -> None:
    loader = Loader(heads, 3, fields=())
    state, running = loader.state_dict(), iter(loader)
    next(running)
    loader.load_state_dict(state)
    with pytest.raises(RuntimeError, match="a state loaded"):
        next(running)
    assert global_order([loader]) == global_order(ranks(heads, 1, 3, fields=()))


def test_a_balanced_order_is_resumed_too(heads: Dataset) -> None:
    wanted = global_order(ranks(heads, 1, 4, balance="yaw", mirror=True, fields=()))
    loader = Loader(heads, 4, balance="yaw", mirror=True, fields=())
    loader.load_state_dict(leave(Loader(heads, 4, balance="yaw", mirror=True, fields=()), 5))
    assert global_order([loader]) == wanted[20:]


def test_a_state_at_the_end_of_an_epoch_leads_to_the_next(heads: Dataset) -> None:
    loader = Loader(heads, N, fields=())
    state = leave(loader, 1)
    assert state["position"] == N
    loader.load_state_dict(state)
    assert list(loader) == []
    assert (loader.epoch, len(loader)) == (1, 1)


def test_a_state_of_other_samples_is_refused(heads: Dataset) -> None:
    state = Loader(heads, 4).state_dict()
    for other in (Loader(heads[1:], 4), Loader(heads, 4, mirror=True), Loader(heads, 4, balance="weight")):
        with pytest.raises(InputError, match="other samples"):
            other.load_state_dict(state)


def test_training_draws_the_same_random_numbers_with_and_without_a_loader(heads: Dataset) -> None:
    torch.manual_seed(0), np.random.seed(0), random.seed(0)  # noqa: NPY002 - whose state a loader must not touch
    untouched = torch.rand(1), np.random.rand(), random.random()  # noqa: NPY002
    torch.manual_seed(0), np.random.seed(0), random.seed(0)  # noqa: NPY002
    for _ in Loader(heads, 8, workers=1, fields=()):
        pass
    assert (torch.rand(1), np.random.rand(), random.random()) == untouched  # noqa: NPY002


@pytest.mark.parametrize("workers", [0, 2])
def test_batches_that_are_kept_keep_their_pictures(heads: Dataset, workers: int) -> None:
    loader = Loader(heads, 3, workers=workers, prefetch=1)
    kept = [(batch["key"][1], batch["image"][1, :, :20], batch["mask"].numpy()[1]) for _ in "ab" for batch in loader]
    assert len(kept) > 3 * (2 + 3)
    for key, part, mask in kept:
        np.testing.assert_array_equal(part.permute(1, 2, 0), heads[key].image[:20])
        np.testing.assert_array_equal(mask, heads[key].mask)


def test_memory_of_batches_that_are_gone_is_used_again(heads: Dataset) -> None:
    loader = Loader(heads, 2, workers=1, fields=("image",))
    places = {batch["image"].data_ptr() for _ in range(3) for batch in loader}
    assert len(places) <= 5


AFTER_OPENCV = """
import sys, time
import cv2, numpy as np
from phq.dataset.reader import Dataset
from phq.dataset.loader import Loader

cv2.setNumThreads(4)
cv2.GaussianBlur(np.zeros((2000, 2000, 3), np.float32), (31, 31), 5)
time.sleep(1)  # until OpenCV's own threads wait for work
print(sum(len(batch["key"]) for batch in Loader(Dataset(sys.argv[1]), 5, workers=1)))
"""


def test_workers_start_where_opencv_has_used_its_threads(heads: Dataset) -> None:
    """A forked process has not got them, and must not wait for their end."""
    command = [sys.executable, "-c", AFTER_OPENCV, str(heads.root.local)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False, timeout=180)
    assert done.stdout == f"{N}\n", done.stderr


def in_a_copy(work: Callable[[], object]) -> int:
    """Start `work` in a copy of this process, in which torch is loaded; the number of the copy's process."""
    child = os.fork()
    if not child:
        code = 1
        try:
            signal.alarm(180)  # it ends even if it waits for ever
            work()
            code = 0
        finally:
            os._exit(code)
    return child


def train(folder: Path, log: Path, workers: int, kill_after: int | None = None) -> None:
    """Two epochs in a process of its own; killed after so many steps, without warning."""
    read, write = os.pipe()

    def training() -> None:
        loader = Loader(Dataset(folder), 3, seed=8, mirror=True, workers=workers)
        if log.exists():
            loader.load_state_dict(json.loads(log.read_text().splitlines()[-1])["state"])
        with log.open("a") as stream:
            while loader.epoch < 2:
                for batch in loader:
                    seen = [batch["key"], batch["mirrored"].tolist(), batch["image"].sum((1, 2, 3)).tolist()]
                    print(json.dumps({"seen": seen, "state": loader.state_dict()}), file=stream, flush=True)
                    os.write(write, b"step\n")

    child = in_a_copy(training)
    os.close(write)
    with os.fdopen(read) as steps:
        for _ in islice(steps, kill_after):
            pass
        if kill_after:
            os.kill(child, signal.SIGKILL)
        ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert ended == (-signal.SIGKILL if kill_after else 0)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_training_that_is_killed_sees_what_it_would_have_seen(heads: Dataset, tmp_path: Path) -> None:
    loader = Loader(heads, 3, seed=8, mirror=True)
    whole = [
        [batch["key"], batch["mirrored"].tolist(), batch["image"].sum((1, 2, 3)).tolist()]
        for _ in range(2)
        for batch in loader
    ]
    for workers, kill_after in ((2, 5), (3, 14), (0, None)):
        train(Path(heads.root.where), tmp_path / "log", workers, kill_after)
    killed = [json.loads(line)["seen"] for line in (tmp_path / "log").open()]
    assert killed == whole


def take_part(rank: int, heads: Dataset, meet: Path, log: Path) -> None:
    """An epoch as one of two ranks that wait for each other in every step."""
    distributed.init_process_group("gloo", init_method=meet.as_uri(), rank=rank, world_size=2)
    steps = []
    for batch in Loader(heads, 3, workers=1, fields=("mask",)):
        both = [None, None]
        distributed.all_gather_object(both, batch["key"])
        steps.append(both)
    distributed.destroy_process_group()
    log.with_suffix(f".{rank}").write_text(json.dumps(steps))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_two_processes_of_torch_distributed_share_the_order(heads: Dataset, tmp_path: Path) -> None:
    paths = (tmp_path / "meet", tmp_path / "log")
    started = [in_a_copy(partial(take_part, rank, Dataset(heads.root.where), *paths)) for rank in (0, 1)]
    assert [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in started] == [0, 0]
    steps = [json.loads((tmp_path / f"log.{rank}").read_text()) for rank in (0, 1)]
    assert steps[0] == steps[1]
    keys = [key for both in steps[0] for rank in both for key in rank]
    assert keys == [key for key, _ in global_order(ranks(heads, 1, 4, fields=()))]


@pytest.mark.parametrize("workers", [0, 1])
def test_a_picture_that_cannot_be_decoded_is_named(heads: Dataset, tmp_path: Path, workers: int) -> None:
    folder = Path(shutil.copytree(heads.root.where, tmp_path / "copy"))
    row = heads.table.to_pylist()[3]
    with (folder / row["shard"]).open("r+b") as shard:
        shard.seek(row["jpg_offset"])
        shard.write(bytes(row["jpg_size"]))
    with pytest.raises(InputError, match=f"^the jpg of sample {row['key']} is not a picture that can be decoded$"):
        list(Loader(Dataset(folder), 4, workers=workers))


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"batch_size": 0}, "batch_size=0: expected a whole number, at least 1"),
        ({"batch_size": 4.5}, "batch_size=4.5: expected a whole number"),
        ({"workers": -1}, "workers=-1: expected a whole number, at least 0"),
        ({"size": 0}, "size=0: expected a whole number, at least 1"),
        ({"seed": -1}, "seed=-1"),
        ({"rank": 0, "world_size": 0}, "world_size=0: expected a whole number, at least 1"),
        ({"rank": 2, "world_size": 2}, "rank=2: expected 0 to 1"),
        ({"fields": ("image", "depth")}, "no field depth; there are: image, mask, camera, pose, smpl_pose"),
        ({"batch_size": N + 1, "drop_last": True}, "drop_last leaves nothing of an epoch of 26"),
    ],
)
def test_arguments_that_cannot_be_are_refused(heads: Dataset, options: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        Loader(heads, **{"batch_size": 4, **options})


def test_a_dataset_without_pictures_is_refused(heads: Dataset, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no samples"):
        Loader(heads.select([]), 2)
    write_tiny(tmp_path / "few", tiny_samples(2), [{"key": "0" * 16, "decision": "rejected", "image_size": 64}])
    with pytest.raises(InputError, match="1 of the 3 samples are rejects and have no pictures"):
        Loader(Dataset(tmp_path / "few", rejects=True), 2)


def test_without_torch_the_extra_is_named() -> None:
    code = "import sys; sys.modules['torch'] = None\nimport phq.dataset.loader"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False)
    assert "phq.dataset.loader needs the package 'torch': pip install 'phq[train]'" in done.stderr
