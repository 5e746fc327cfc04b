"""A plan is run: what its units, its log and the person before it are told of photos that crash and hang."""

from __future__ import annotations

import io
import json
from collections import Counter
from pathlib import Path

import pytest
from misbehaving_stage import odd_pipeline

from phq.building.carrying import CarryUnits
from phq.building.executors.choice import Engine, Execution
from phq.building.plan import Plan, open_work_folder
from phq.building.progress import Progress
from phq.building.running import run_plan
from phq.building.unit import UnitResult, table_path
from phq.config.build import load_config
from phq.dataset.tables import read_table
from phq.errors import OutputError
from phq.people.person import Photo
from phq.photos.discover import Found
from phq.stages.pipeline import Pipeline, StageCount
from phq.system.logs import STDOUT, RunLog, opened_log
from phq.system.resources import Resources

NAMES = ("a", "b", "c", "d", "e", "kill", "g", "hang")


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[dict[str, object]], list[dict[str, object]]]:
    """Rows of every unit, and lines of the log, of a plan with a photo that kills and one that hangs."""
    out, stream = tmp_path_factory.mktemp("out"), io.StringIO()
    plan = Plan([Found(out / name, name) for name in NAMES], load_config())
    work = open_work_folder(out, plan)
    execution = Execution(workers=1, photo_timeout=0.5, log=RunLog(stream))
    run_plan(CarryUnits(odd_pipeline, work), plan, execution, quiet=True)
    rows = [row for number in range(2) for row in read_table(table_path(work, number)).to_pylist()]
    assert not list(out.rglob("*.tmp*"))
    return rows, [json.loads(line) for line in stream.getvalue().splitlines()]


def test_photos_at_fault_alone_are_rejected_by_name(ran):
    rows, _ = ran
    reasons = {"kill": "crashed_worker", "hang": "timed_out"}
    assert {row["source_path"]: row["reason"] for row in rows} == {n: reasons.get(n, "not_an_image") for n in NAMES}
    assert "SIGKILL" in next(row["detail"] for row in rows if row["source_path"] == "kill")


def test_the_log_tells_what_happened(ran):
    _, lines = ran
    counts = Counter(line["event"] for line in lines)
    assert counts["started"] == 1
    assert counts["unit_done"] == 2
    assert counts["refused"] == 2
    assert counts["worker_died"] == 2
    assert {line["photo"] for line in lines if line["event"] == "refused"} == {"kill", "hang"}
    (done,) = (line for line in lines if line["event"] == "unit_done" and line["unit"] == 1)
    assert done["rejected"] == {"not_an_image": 2, "crashed_worker": 1, "timed_out": 1}
    assert done["stages"].keys() == {"odd"}
    assert all(line["time"].endswith("+00:00") for line in lines)


class _Remarks:
    """A stage that finds something to say about one photo."""

    name, wants = "remarks", Resources()

    def setup(self) -> None:
        pass

    def process(self, photos: list[Photo]) -> None:
        for photo in photos:
            photo.remark = "stated twice" if photo.name == "b" else ""
            photo.reject("no_person")


def test_a_remark_names_its_photo_in_the_log_and_on_the_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    plan, stream = Plan([Found(tmp_path / name, name) for name in "abc"], load_config()), io.StringIO()
    work = open_work_folder(tmp_path / "out", plan)
    execution = Execution(engine=Engine.inline, log=RunLog(stream))
    run_plan(CarryUnits(lambda: Pipeline([_Remarks()]), work), plan, execution, quiet=False)
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    told = [(line["photo"], line["detail"]) for line in lines if line["event"] == "remark"]
    assert told == [("b", "stated twice")]
    assert "phq: b: stated twice" in capsys.readouterr().err


def test_a_log_is_appended_to_a_file_or_written_to_stdout(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    for _ in range(2):
        with opened_log(str(tmp_path / "log.jsonl")) as log:
            log.write("started", photos=3)
    with opened_log(STDOUT) as log:
        log.write("done")
    with opened_log(None) as log:
        log.write("nobody reads this")
    assert [json.loads(line)["photos"] for line in (tmp_path / "log.jsonl").read_text().splitlines()] == [3, 3]
    assert json.loads(capsys.readouterr().out)["event"] == "done"
    with pytest.raises(OutputError, match="no-such"), opened_log(str(tmp_path / "no-such" / "log")):
        pass


def test_errors_of_the_run_are_not_blamed_on_its_log(tmp_path: Path):
    with pytest.raises(OSError, match=r"^a server is gone$"), opened_log(str(tmp_path / "log.jsonl")):
        raise OSError("a server is gone")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_log_on_a_full_disk_is_a_clear_error():
    with pytest.raises(OutputError, match=r"/dev/full.*disk is full"), opened_log("/dev/full") as log:
        log.write("started")


def units() -> list[UnitResult]:
    return [UnitResult(4, 3, Counter(no_person=2)), UnitResult(4, 1, Counter(no_person=1, corrupt=1))]


def test_elsewhere_than_on_a_terminal_progress_is_plain_lines(capsys: pytest.CaptureFixture[str]):
    with Progress(8, 0, quiet=False) as progress:
        for unit in units():
            progress.add(unit)
        progress.remark("something happened")
    said = capsys.readouterr().err
    assert "8/8 photos" in said
    assert "annotated 4" in said
    assert "no_person 3, corrupt 1" in said
    assert "something happened" in said
    assert "\r" not in said


def test_before_the_first_unit_is_done_it_is_said_when_that_will_be(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    plan = Plan([Found(tmp_path / name, name) for name in "abcdef"], load_config())
    work = open_work_folder(tmp_path / "out", plan)
    carry = CarryUnits(lambda: Pipeline([_Remarks()]), work)
    run_plan(carry, plan, Execution(engine=Engine.inline), quiet=False, until_first=lambda photos: f"{photos} first")
    assert capsys.readouterr().err.splitlines()[0] == "phq: 6 photos; 4 first"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_on_a_terminal_every_reason_has_a_line(monkeypatch: pytest.MonkeyPatch):
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    with Progress(12, 4, quiet=False) as progress:
        for unit in units():
            progress.add(unit)
    said = terminal.getvalue()
    assert "12/12" in said
    assert "photo/s" in said
    assert "people/s" in said
    assert "3  no_person" in said
    assert "1  corrupt" in said


def test_quiet_is_quiet(capsys: pytest.CaptureFixture[str]):
    with Progress(8, 0, quiet=True) as progress:
        progress.add(units()[0])
        progress.remark("something happened")
    assert capsys.readouterr() == ("", "")


def test_counts_of_a_stage_add_up():
    assert StageCount(1.5, 4, 3, 1) + StageCount(0.5, 4, 2, 0) == StageCount(2.0, 8, 5, 1)


def test_stages_are_counted():
    from phq.people.person import Photo

    pipeline = odd_pipeline()
    pipeline.run([Photo(Path("a"), "a"), Photo(Path("b"), "b")])
    count = pipeline.counts["odd"]
    assert (count.photos, count.people, count.rejected) == (2, 0, 2)
