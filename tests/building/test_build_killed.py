"""A build that is killed, that fills the disk, or that meets another one loses nothing and does nothing twice."""

from __future__ import annotations

import errno
import io
import json
import os
import random
import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from file_faults import count_changes, kill_at
from networkless_pipeline import SIDE, digests, names, photos, use_networkless_pipeline

from phq.building import unit
from phq.building.build import BuildResult, build
from phq.building.executors.choice import Engine, Execution
from phq.dataset.folder import WORK
from phq.errors import OutputError
from phq.system.locking import alone_in

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("networkless")]

INLINE = Execution(engine=Engine.inline)
SCRIPT = Path(__file__).parents[1] / "self_killing_build.py"


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eleven photos: three units."""
    return photos(tmp_path_factory.mktemp("original") / "photos", names(11))


@pytest.fixture
def source(original: Path, tmp_path: Path) -> Path:
    """A copy that a test may change."""
    return Path(shutil.copytree(original, tmp_path / "photos"))


@pytest.fixture(scope="module")
def undisturbed(original: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Digests of the dataset of the photos."""
    out = tmp_path_factory.mktemp("undisturbed") / "out"
    with pytest.MonkeyPatch.context() as patch:
        use_networkless_pipeline(patch)
        made(original, out)
    return digests(out)


def made(source: Path, out: Path) -> BuildResult:
    return build(source, out, preset="everything", size=SIDE, execution=INLINE)


def stopped(source: Path, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A build that ends when all units are there."""

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("phq.building.build.conclude_units", stop)
        made(source, out)


def whole(source: Path, out: Path) -> dict[str, str]:
    """What is there in the end, once a killed build has been continued."""
    with suppress(OutputError):  # "already holds a dataset": nothing was left but to remove the work folder
        made(source, out)
    return digests(out)


def test_killed_at_moments_all_along_it_continues_to_the_same_bytes(source: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("os.fsync", lambda _: None)
    total = count_changes(tmp_path, lambda: made(source, tmp_path / "whole"))
    expected = digests(tmp_path / "whole")
    for number in sorted(random.Random(6).sample(range(total), 9)):
        out = tmp_path / str(number)
        assert not kill_at(number, tmp_path, lambda: made(source, out))  # noqa: B023
        assert whole(source, out) == expected, number


@pytest.mark.skipif(not hasattr(os, "killpg"), reason="needs process groups")
@pytest.mark.parametrize("moment", [4, 30])
def test_the_whole_tree_is_killed_and_the_build_continues(
    source: Path, undisturbed: dict[str, str], tmp_path: Path, moment: int
) -> None:
    out = tmp_path / "out"
    command = [sys.executable, SCRIPT, source, out, "2", str(moment)]
    path = os.pathsep.join([str(SCRIPT.parent), *sys.path])
    killed = subprocess.run(command, start_new_session=True, env={**os.environ, "PYTHONPATH": path}, check=False)
    assert killed.returncode == -9
    assert not (out / "manifest.parquet").exists()
    assert whole(source, out) == undisturbed


def test_finished_shards_are_not_written_again(
    source: Path, undisturbed: dict[str, str], tmp_path: Path, monkeypatch
) -> None:
    from phq.building.finalise import shards

    out, real, written = tmp_path / "out", shards.write_shard, list[str]()

    def dies(out, work, job):
        if len(written) == 3:
            written.append("")
            raise KeyboardInterrupt
        written.append(job.name)
        return real(out, work, job)

    monkeypatch.setattr(shards, "write_shard", dies)
    with pytest.raises(KeyboardInterrupt):
        made(source, out)
    made(source, out)
    assert len(written) == 1 + len(set(written) - {""})
    assert digests(out) == undisturbed


@pytest.mark.parametrize("damage", ["table", "half a table", "blob", "short blob", "no blob", "shard", "rows"])
def test_what_is_damaged_in_the_work_folder_is_made_again(
    source: Path, undisturbed: dict[str, str], tmp_path: Path, monkeypatch, damage: str
) -> None:
    out = tmp_path / "out"
    work = out / WORK
    if damage in ("shard", "rows"):
        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr("phq.building.finalise.dataset.draw_sheet", _interrupt)
            made(source, out)
        shard = next(out.glob("train/phq-train-000001-*.tar"))
        path = shard if damage == "shard" else work / f"{shard.stem}.rows.parquet"
        path.write_bytes(b"") if damage == "shard" else path.unlink()
    else:
        stopped(source, out, monkeypatch)
        path = work / ("000001.parquet" if "table" in damage else "000001.bin")
        content = path.read_bytes()
        path.write_bytes(b"x" * len(content) if damage in ("table", "blob") else content[: len(content) // 2])
        if damage == "no blob":
            path.unlink()
    made(source, out)
    assert digests(out) == undisturbed


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"photos": 3}', b"\xff\xfe"])
def test_a_damaged_plan_is_a_clear_error(source: Path, tmp_path: Path, monkeypatch, content: bytes) -> None:
    stopped(source, tmp_path / "out", monkeypatch)
    (tmp_path / "out" / WORK / "plan.json").write_bytes(content)
    with pytest.raises(OutputError, match=r"plan\.json is damaged.*remove .*\.phq-work to start again"):
        made(source, tmp_path / "out")


def test_a_damaged_list_of_photos_is_a_clear_error(source: Path, tmp_path: Path, monkeypatch) -> None:
    stopped(source, tmp_path / "out", monkeypatch)
    (listed,) = (tmp_path / "out" / WORK).glob("inputs-*.parquet")
    content = listed.read_bytes()
    other = io.BytesIO()
    pq.write_table(pa.table({"key": ["a"]}), other)
    for damaged in (b"PAR1", content[:4] + b"\xff" * 40 + content[44:], other.getvalue()):
        listed.write_bytes(damaged)
        with pytest.raises(OutputError, match="the list of this build's photos, is damaged"):
            made(source, tmp_path / "out")


def test_a_list_of_photos_that_is_gone_is_written_again(
    source: Path, undisturbed: dict[str, str], tmp_path: Path, monkeypatch
) -> None:
    stopped(source, tmp_path / "out", monkeypatch)
    (listed,) = (tmp_path / "out" / WORK).glob("inputs-*.parquet")
    listed.unlink()
    made(source, tmp_path / "out")
    assert digests(tmp_path / "out") == undisturbed


def test_what_differs_from_an_unfinished_build_is_named(source: Path, tmp_path: Path, monkeypatch) -> None:
    stopped(source, tmp_path / "out", monkeypatch)
    (source / "0002.jpg").write_bytes(b"people 1 another")
    (source / "0004.jpg").unlink()
    said = r"1 of the photos is changed, such as 0002\.jpg; 1 of the photos is gone, such as 0004\.jpg"
    with pytest.raises(OutputError, match=said):
        made(source, tmp_path / "out")


def test_a_unit_carries_its_counts(source: Path, tmp_path: Path, monkeypatch) -> None:
    stopped(source, tmp_path / "out", monkeypatch)
    tables = sorted((tmp_path / "out" / WORK).glob("0*.parquet"))
    noted = [unit.UnitResult.noted(pq.read_metadata(path).metadata[b"counts"]) for path in tables]
    assert [result.photos for result in noted] == [4, 4, 3]
    assert all(result.stages["encode"].photos == result.photos for result in noted)
    made(source, tmp_path / "out")
    run = json.loads((tmp_path / "out" / "run.json").read_text())
    assert run["counts"]["kept"] == sum(result.kept for result in noted)


def test_a_full_disk_at_any_write_is_a_clear_error_and_the_build_continues(
    source: Path, undisturbed: dict[str, str], tmp_path: Path, monkeypatch
) -> None:
    out, real = tmp_path / "out", os.fsync
    for allowed in (1, 5, 9, 14):
        left = [allowed]

        def full(handle: int) -> None:
            left[0] -= 1  # noqa: B023
            if left[0] < 0:  # noqa: B023
                raise OSError(errno.ENOSPC, "No space left on device")
            real(handle)

        with monkeypatch.context() as patch:
            patch.setattr("os.fsync", full)
            with suppress(OutputError):
                made(source, out)
                pytest.fail("it finished on a full disk")
        assert not (out / "manifest.parquet").exists()
    assert whole(source, out) == undisturbed


def test_a_full_disk_says_what_to_do(source: Path, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="the disk is full; make room and run the same command again") as caught:
        _write_to_a_full_device(tmp_path)
    assert "run the same command again" in str(caught.value)
    del source


def _write_to_a_full_device(folder: Path) -> None:
    from phq.system.atomic import atomic_write, tmp_path

    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full")
    tmp_path(folder / "x").symlink_to("/dev/full")
    with atomic_write(folder / "x") as stream:
        stream.write(bytes(1 << 20))


def test_a_second_build_in_one_folder_is_refused(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    with alone_in(out / WORK, ""), pytest.raises(OutputError, match="another phq process is building in"):
        made(source, out)
    assert made(source, out).kept


def test_temporary_files_of_a_killed_build_are_gone_after_the_next(source: Path, tmp_path: Path, monkeypatch) -> None:
    out = tmp_path / "out"
    stopped(source, out, monkeypatch)
    left = [
        out / WORK / "000009.bin.tmp",
        out / "train" / "phq-train-000000-0123456789ab.tar.tmp",
        out / "README.md.tmp",
    ]
    left += [out / "val" / "phq-val-000077-0123456789ab.tar"]
    for path in left:
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"half")
    made(source, out)
    assert [path for path in left if path.exists()] == []
    assert not (out / WORK).exists()
