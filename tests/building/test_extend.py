"""Photos that are added later: only they are computed, and what stands stays valid and as it is."""

from __future__ import annotations

import json
import shutil
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from encoded_pictures import encoded, small_picture
from file_faults import count_changes, kill_at
from networkless_pipeline import SIDE, digests, names, photos

from phq.building import unit
from phq.building.build import BuildResult, build
from phq.building.executors.choice import Engine, Execution
from phq.building.finalise import extension
from phq.building.plan import NOTE
from phq.curate.verify.verify import verify
from phq.dataset.folder import WORK
from phq.dataset.reader import Dataset
from phq.errors import ConfigError, OutputError
from phq.photos.contents import photos_of
from phq.system.journal import recover

pytestmark = pytest.mark.usefixtures("networkless")

INLINE = Execution(engine=Engine.inline)


@pytest.fixture
def carried(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the photos that went through the pipeline, as they do."""
    done: list[str] = []
    real = unit.opened
    monkeypatch.setattr(unit, "opened", lambda found, refusal: done.append(found.name) or real(found, refusal))
    return done


def made(source: Path, out: Path, **options: object) -> BuildResult:
    return build(source, out, **{"preset": "everything", "size": SIDE, "execution": INLINE, **options})


def extended(source: Path, out: Path) -> BuildResult:
    return build(source, out, execution=INLINE, extend=True)


def manifest(out: Path) -> dict[str, dict]:
    return {row["key"]: row for row in pq.read_table(out / "manifest.parquet").to_pylist()}


def test_only_new_photos_are_computed_and_nothing_old_is_touched(tmp_path: Path, carried: list[str]) -> None:
    source, out = photos(tmp_path / "photos", names(12)), tmp_path / "out"
    made(source, out)
    before, shards = manifest(out), {n: d for n, d in digests(out).items() if n.endswith(".tar")}
    carried.clear()
    photos(source, names(5, 12))
    result = extended(source, out)
    assert sorted(carried) == names(5, 12)
    assert result.differs.new == tuple(names(5, 12))
    after = manifest(out)
    assert all(after[key] == row for key, row in before.items())
    assert {name: digests(out)[name] for name in shards} == shards
    assert {row["source_path"] for key, row in after.items() if key not in before} <= set(names(5, 12))
    assert len(after) == len(before) + result.counts["kept"]
    run = json.loads((out / "run.json").read_text())
    assert run["counts"]["photos"] == 17
    assert run["counts"]["kept"] == len(after) == len(Dataset(out))
    assert [v.kind for v in verify(out, workers=1).violations] == []


def test_a_new_photo_that_repeats_an_old_one_is_the_duplicate(tmp_path: Path) -> None:
    source, out = photos(tmp_path / "photos", names(8)), tmp_path / "out"
    made(source, out)
    kept = manifest(out)
    first = min(row["source_path"] for row in kept.values())
    (source / "again.jpg").write_bytes((source / first).read_bytes())
    result = extended(source, out)
    assert result.counts["kept"] == 0
    assert result.counts["rejected"] == {"exact_duplicate": 2}
    rows = [r for r in pq.read_table(out / "rejects.parquet").to_pylist() if r["source_path"] == "again.jpg"]
    assert all(kept[row["duplicate_of"]]["source_path"] == first for row in rows)
    assert manifest(out) == kept


def test_extensions_follow_each_other_and_without_new_photos_nothing_happens(tmp_path: Path) -> None:
    source, out = photos(tmp_path / "photos", names(4)), tmp_path / "out"
    made(source, out)
    for first in (4, 8):
        photos(source, names(4, first))
        extended(source, out)
    before = digests(out)
    assert extended(source, out).counts["photos"] == 0
    assert digests(out) == before
    assert len(json.loads((out / "run.json").read_text())["extended"]) == 2
    assert verify(out, workers=1).violations == []


def test_photos_that_changed_or_vanished_are_named_and_their_samples_stay(tmp_path: Path) -> None:
    source, out = photos(tmp_path / "photos", names(9)), tmp_path / "out"
    made(source, out)
    before = manifest(out)
    (source / "0001.jpg").write_bytes(b"people 2 something else")
    (source / "0003.jpg").unlink()
    (source / "0005.jpg").touch()
    result = extended(source, out)
    assert (result.differs.changed, result.differs.vanished) == (("0001.jpg",), ("0003.jpg",))
    assert manifest(out) == before
    (out / ".phq-inputs.parquet").unlink()  # then every photo is read
    assert extended(source, out).differs.changed == ("0001.jpg",)


def test_rows_of_a_table_are_compared_by_their_own_bytes(tmp_path: Path) -> None:
    pictures = [encoded(small_picture(80 + n, 60), "JPEG") for n in range(2)]
    pq.write_table(pa.table({"image": pictures}), tmp_path / "t.parquet")
    rows = photos_of(tmp_path)
    known = SimpleNamespace(
        sha256={row.name: sha256(picture).hexdigest() for row, picture in zip(rows, pictures, strict=True)}
    )
    assert all(extension._same(known, row) for row in rows)
    known.sha256[rows[0].name] = sha256(b"another").hexdigest()
    assert [extension._same(known, row) for row in rows] == [False, True]


def test_an_unfinished_build_is_extended_too(tmp_path: Path, carried: list[str], monkeypatch) -> None:
    source, out = photos(tmp_path / "photos", names(12)), tmp_path / "out"
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("phq.building.build.conclude_units", _stop)
        made(source, out)
    carried.clear()
    photos(source, ["0000-new.jpg", *names(4, 12)])
    with pytest.raises(OutputError, match=r"5 of the photos are new.*--extend"):
        made(source, out)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("phq.building.build.conclude_units", _stop)
        made(source, out, extend=True)
    assert sorted(carried) == sorted(["0000-new.jpg", *names(4, 12)])
    result = made(source, out)  # the plan is as it is frozen now
    assert result.photos == 17
    assert len(carried) == 5
    assert verify(out, workers=1).violations == []


def _stop(*_: object) -> None:
    raise KeyboardInterrupt


def test_shards_of_an_interrupted_finalise_are_not_taken_for_those_of_the_longer_plan(
    tmp_path: Path, monkeypatch
) -> None:
    source, out = photos(tmp_path / "photos", names(12)), tmp_path / "out"
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("phq.building.finalise.dataset.draw_sheet", _stop)  # all shards are written
        made(source, out)
    photos(source, names(5, 12))
    result = made(source, out, extend=True)
    assert len(manifest(out)) == len(Dataset(out)) == result.counts["kept"]
    assert {row["source_path"] for row in manifest(out).values()} & set(names(5, 12))
    assert verify(out, workers=1).violations == []


@pytest.mark.parametrize("left", ["everything", "no note"])
def test_an_extension_that_stands_is_not_added_again(tmp_path: Path, monkeypatch, left: str) -> None:
    """It was killed before, or while, it removed its work folder, and more photos have come since."""
    source, out = photos(tmp_path / "photos", names(4)), tmp_path / "out"
    made(source, out)
    photos(source, names(4, 4))
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("phq.building.build.close_work_folder", _stop)
        extended(source, out)
    if left == "no note":
        (out / ".phq-work-extend" / "plan.json").unlink()
    photos(source, names(4, 8))
    result = extended(source, out)
    assert result.counts["photos"] == 4
    assert "exact_duplicate" not in result.counts["rejected"]
    rows = [*manifest(out).values(), *pq.read_table(out / "rejects.parquet").to_pylist()]
    assert {row["source_path"] for row in rows} == set(names(12))
    assert verify(out, workers=1).violations == []


def test_the_work_folder_of_a_build_that_was_killed_at_its_end_goes(tmp_path: Path) -> None:
    source, out = photos(tmp_path / "photos", names(4)), tmp_path / "out"
    made(source, out)
    (out / ".phq-work").mkdir()
    (out / ".phq-work" / "000000.bin").write_bytes(b"left")
    extended(source, out)
    assert not (out / ".phq-work").exists()


def test_a_photo_that_is_gone_is_not_mistaken_for_one_of_its_name_elsewhere(tmp_path: Path, monkeypatch) -> None:
    source, out = photos(tmp_path / "photos", ["a/x.jpg", "x.jpg", "y.jpg"]), tmp_path / "out"
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("phq.building.build.run_plan", _stop)
        made(source, out)
    (source / "x.jpg").unlink()
    result = made(source, out, extend=True)
    assert result.differs.vanished == ("x.jpg",)
    rows = {row["source_path"]: row for row in pq.read_table(out / "rejects.parquet").to_pylist()}
    assert rows["x.jpg"]["reason"] == "internal_error"  # of the stage that reads in this pipeline
    assert "x.jpg" not in {row["source_path"] for row in manifest(out).values()}


@pytest.mark.parametrize("stands", [False, True])
def test_another_folder_waits_until_the_photos_of_the_first_are_done(tmp_path: Path, monkeypatch, stands: bool) -> None:
    """Its photos would be looked for where they are not, and become rejects."""
    out, begun, other = tmp_path / "out", tmp_path / "begun", photos(tmp_path / "other", names(3, 20))
    if stands:
        made(photos(tmp_path / "first", names(4, 40)), out)
    photos(begun, names(6))
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("phq.building.build.run_plan", _stop)
        made(begun, out, extend=stands)
    before = digests(out)
    with pytest.raises(OutputError, match=rf"unfinished build of the photos in {begun}.*by the command that began it"):
        made(other, out, extend=True)
    assert digests(out) == before
    made(begun, out, extend=stands)
    extended(other, out)
    rows = [*manifest(out).values(), *pq.read_table(out / "rejects.parquet").to_pylist()]
    assert {row["source_path"] for row in rows} == {*names(6), *names(3, 20), *(names(4, 40) if stands else ())}
    assert not any(row["reason"] == "internal_error" for row in rows)


def test_photos_that_were_moved_as_they_are_go_on(tmp_path: Path, monkeypatch) -> None:
    source, out = photos(tmp_path / "photos", names(6)), tmp_path / "out"
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("phq.building.build.run_plan", _stop)
        made(source, out)
    moved = photos(source.rename(tmp_path / "moved"), names(2, 6))
    assert made(moved, out, extend=True).differs.vanished == ()
    rows = [*manifest(out).values(), *pq.read_table(out / "rejects.parquet").to_pylist()]
    assert {row["source_path"] for row in rows} == set(names(8))


def test_what_others_note_in_run_json_during_an_extension_stays(tmp_path: Path, monkeypatch) -> None:
    from phq.building import build as building

    source, out = photos(tmp_path / "photos", names(4)), tmp_path / "out"
    made(source, out)
    photos(source, names(4, 4))
    real = building.run_plan

    def meanwhile(*words: object) -> None:
        run = json.loads((out / "run.json").read_text())
        (out / "run.json").write_text(json.dumps({**run, "noted": "meanwhile"}))
        real(*words)

    monkeypatch.setattr(building, "run_plan", meanwhile)
    extended(source, out)
    run = json.loads((out / "run.json").read_text())
    assert (run["noted"], len(run["extended"])) == ("meanwhile", 1)


@pytest.mark.parametrize("table", ["manifest.parquet", "rejects.parquet", ".phq-inputs.parquet"])
def test_a_dataset_with_a_damaged_table_is_refused_in_a_sentence(tmp_path: Path, table: str) -> None:
    source, out = photos(tmp_path / "photos", names(4)), tmp_path / "out"
    made(source, out)
    photos(source, names(2, 4))
    path, content = out / table, (out / table).read_bytes()
    damaged = [b"", content[: len(content) // 2], content[:4] + b"\xff" * 600 + content[604:]]
    for content in damaged:
        path.write_bytes(content)
        with pytest.raises(OutputError, match=rf"{table}.* is damaged"):
            extended(source, out)


def test_another_configuration_or_another_maker_is_refused(tmp_path: Path) -> None:
    source, out = photos(tmp_path / "photos", names(4)), tmp_path / "out"
    made(source, out)
    photos(source, names(2, 4))
    with pytest.raises(ConfigError, match=r"another configuration \(.*size"):
        made(source, out, size=128, extend=True)
    run = json.loads((out / "run.json").read_text())
    (out / "run.json").write_text(json.dumps({k: v for k, v in run.items() if k != "command"}))
    with pytest.raises(OutputError, match="not made by phq build"):
        extended(source, out)


def on_older_machine(path: Path) -> None:
    """Let a record of a build say that it was begun with other kernels."""
    noted = json.loads(path.read_bytes())
    noted["kernels"]["processor"] = "x86_64 sse4_2"
    path.write_text(json.dumps(noted))


def test_an_extension_on_other_kernels_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The last digits of labels may differ, so one dataset would be of two machines without a word."""
    source, out = photos(tmp_path / "photos", names(4)), tmp_path / "out"
    made(source, out)
    photos(source, names(2, 4))
    build(source, out, execution=INLINE, extend=True, quiet=False)
    assert "another processor" not in "".join(capsys.readouterr())
    on_older_machine(out / "run.json")
    photos(source, names(2, 6))
    build(source, out, execution=INLINE, extend=True, quiet=False)
    said = "".join(capsys.readouterr())
    assert "begun on another processor" in said
    assert "x86_64 sse4_2, now " in said


def test_a_build_that_goes_on_with_other_kernels_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch
) -> None:
    source, out = photos(tmp_path / "photos", names(20)), tmp_path / "out"
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("phq.building.build.conclude_units", _stop)
        made(source, out)
    on_older_machine(out / WORK / NOTE)
    (out / WORK / "000000.parquet").unlink()
    capsys.readouterr()
    made(source, out, quiet=False)
    assert "begun on another processor" in "".join(capsys.readouterr())
    assert json.loads((out / "run.json").read_bytes())["details"]["begun_with"]["processor"] == "x86_64 sse4_2"


def test_a_killed_extension_leaves_a_valid_dataset_and_is_continued(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("os.fsync", lambda _: None)
    source, old = photos(tmp_path / "photos", names(6)), tmp_path / "old"
    made(source, old)
    photos(source, names(3, 6))
    whole = shutil.copytree(old, tmp_path / "whole")
    total = count_changes(tmp_path, lambda: extended(source, whole))
    for number in (2, 9, *range(total - 40, total, 4)):
        out = shutil.copytree(old, tmp_path / str(number))
        assert not kill_at(number, tmp_path, lambda: extended(source, out))  # noqa: B023
        recover(out)
        now = {name: digest for name, digest in digests(out).items() if not name.startswith(".phq-work")}
        assert now in (digests(old), digests(whole)), number
        extended(source, out)
        assert digests(out) == digests(whole), number
