"""Reading files and parts of them, wherever the dataset lies."""

from __future__ import annotations

import gc
import multiprocessing
import os
import pickle
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import fsspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from range_server import serving

from phq.dataset import root as module
from phq.dataset.parquet import ParquetTable
from phq.dataset.root import Root
from phq.errors import InputError
from phq.schema import SCHEMA_VERSION

CONTENT = bytes(range(256)) * 40


@pytest.fixture(scope="module")
def served_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("root") / "a b"
    (folder / "train").mkdir(parents=True)
    (folder / "train" / "b.tar").write_bytes(CONTENT)
    (folder / "train" / "a.tar").write_bytes(CONTENT[::-1])
    (folder / "empty").write_bytes(b"")
    return folder


@pytest.fixture(params=["folder", "file", "memory", "http"])
def root(request: pytest.FixtureRequest, served_files: Path) -> Iterator[Root]:
    if request.param == "folder":
        yield Root(served_files)
    elif request.param == "file":
        yield Root(f"file://{served_files}")
    elif request.param == "memory":
        memory = fsspec.filesystem("memory")
        memory.put(f"{served_files}/", "/heads/", recursive=True)
        yield Root("memory://heads/")
        memory.rm("/heads", recursive=True)
    else:
        with serving(served_files) as served:
            yield Root(served.url)


@pytest.mark.parametrize(
    ("offset", "size"), [(0, None), (0, 7), (300, 9), (9_000, None), (10_200, 500), (0, 0), (len(CONTENT), 3)]
)
def test_reads_what_a_slice_of_the_file_would_be(root: Root, offset: int, size: int | None) -> None:
    if "http" in root.where and offset == len(CONTENT):
        pytest.skip("a server may call this range unsatisfiable")
    end = None if size is None else offset + size
    assert root.read("train/b.tar", offset, size) == CONTENT[offset:end]


@pytest.mark.parametrize("size", [None, 5])
def test_a_missing_file_is_named(root: Root, size: int | None) -> None:
    with pytest.raises(InputError, match=r"has no file train/c\.tar"):
        root.read("train/c.tar", 0, size)
    with pytest.raises(InputError, match=r"no file train/c\.tar"):
        root.open("train/c.tar").read()
    assert not root.exists("train/c.tar")
    assert root.exists("train/b.tar")


def test_a_stream_can_be_read_anywhere(root: Root) -> None:
    with root.open("train/b.tar") as stream:
        stream.seek(-5, os.SEEK_END)
        assert stream.read() == CONTENT[-5:]
        stream.seek(300)
        assert stream.read(4) == CONTENT[300:304]


def test_a_pickled_root_reads_on(root: Root) -> None:
    root.read("train/a.tar", 0, 1)
    again = pickle.loads(pickle.dumps(root))
    assert again.read("train/b.tar", 3, 3) == CONTENT[3:6]
    assert again.local == root.local


def test_a_relative_folder_stays_the_same_when_the_process_moves(
    served_files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(served_files.parent)
    root = Root(served_files.name)
    monkeypatch.chdir(tmp_path)
    assert root.read("train/b.tar", 0, 3) == CONTENT[:3]


def test_only_the_range_asked_for_is_downloaded(served_files: Path) -> None:
    with serving(served_files) as served:
        Root(served.url).read("train/b.tar", 1000, 17)
        assert served.sent == {"train/b.tar": 17}


def test_a_server_without_ranges_is_refused(served_files: Path) -> None:
    with serving(served_files, ranges=False) as served, pytest.raises(InputError, match="no HTTP ranges"):
        Root(served.url).read("train/b.tar", 1000, 17)


def test_a_server_that_is_gone_is_an_input_error(served_files: Path) -> None:
    with serving(served_files) as served:
        root = Root(served.url)
    with pytest.raises(InputError, match=r"cannot read train/b\.tar"):
        root.read("train/b.tar", 0, 3)


def test_an_unknown_kind_of_url_is_an_input_error() -> None:
    with pytest.raises(InputError, match="cannot read nowhere://x: Protocol not known"):
        Root("nowhere://x").read("run.json")


@pytest.fixture
def many(tmp_path: Path) -> Path:
    """Forty files that differ in every byte."""
    for number in range(40):
        (tmp_path / f"{number}").write_bytes(_content(number))
    return tmp_path


def _content(number: int) -> bytes:
    return bytes((number + place) % 251 for place in range(5000))


def _wrong(root: Root, seed: int, files: int = 40) -> int:
    """Of 400 random reads, those that gave other bytes than are there."""
    rng = np.random.default_rng(seed)
    expected = [_content(number) for number in range(files)]
    places = zip(rng.integers(0, files, 400).tolist(), rng.integers(0, 4000, 400).tolist(), strict=True)
    return sum(root.read(f"{n}", place, 1000) != expected[n][place : place + 1000] for n, place in places)


@pytest.mark.parametrize("files", [1, 40])
@pytest.mark.parametrize("pread", [True, False])
def test_threads_read_right_from_one_file_and_while_files_are_closed_for_others(
    many: Path, monkeypatch: pytest.MonkeyPatch, pread: bool, files: int
) -> None:
    monkeypatch.setattr(module, "_most_open_files", lambda: 3)
    monkeypatch.setattr(module, "_CAN_PREAD", pread and module._CAN_PREAD)
    root = Root(many)
    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(lambda seed: _wrong(root, seed, files), range(8))) == 0


def _open_files(folder: Path) -> int:
    links = list(Path("/proc/self/fd").iterdir())  # of which one is this listing's own
    return sum(str(link.readlink()).startswith(str(folder)) for link in links if link.is_symlink())


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="counts open files as Linux shows them")
def test_open_files_are_few_and_none_once_the_root_is_gone(many: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_most_open_files", lambda: 8)
    root = Root(many)
    assert _wrong(root, 0) == 0
    assert _open_files(many) == 8
    del root
    gc.collect()
    assert _open_files(many) == 0


def _in_child(read: Callable[[], bytes], queue: multiprocessing.Queue[bytes]) -> None:
    queue.put(read())


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="no fork here")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_process_reads_on(root: Root) -> None:
    assert root.read("train/b.tar", 5, 3) == CONTENT[5:8]
    fork = multiprocessing.get_context("fork")
    queue: multiprocessing.Queue[bytes] = fork.Queue()
    children = [
        fork.Process(target=_in_child, args=(lambda n=n: root.read("train/b.tar", n, 900), queue)) for n in (1, 2)
    ]
    for child in children:
        child.start()
    assert {queue.get(timeout=30) for _ in children} == {CONTENT[n : n + 900] for n in (1, 2)}
    for child in children:
        child.join(30)
    assert root.read("train/b.tar", 9, 3) == CONTENT[9:12]


def test_of_a_remote_table_only_the_columns_asked_for_are_downloaded(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    wide = {f"wide{i}": pa.array(rng.normal(size=(2000, 32)).tolist()) for i in range(8)}
    table = pa.table({"key": [f"{n:016x}" for n in range(2000)], **wide, "last": np.arange(2000)})
    path = tmp_path / "manifest.parquet"
    pq.write_table(table.replace_schema_metadata({"schema_version": SCHEMA_VERSION}), path, row_group_size=500)
    with serving(tmp_path) as served:
        remote = ParquetTable(Root(served.url), path.name)
        assert remote.read(["last", "key"]).equals(table.select(["last", "key"]))
        assert served.sent[path.name] < path.stat().st_size / 8
        assert remote.row(1234) == table.slice(1234, 1).to_pylist()[0]
        assert served.sent[path.name] < path.stat().st_size / 2
