"""`phq verify`: a sound dataset is clean, whatever is broken is named, and what can be put right is."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path

import damaged_descriptions
import damaged_shards
import damaged_tables
import pytest
from dataset_damage import FIRST, PAIR, SAMPLES, SECOND, SHARDS, Damage, edited_bytes, place, rows_of, write_rows
from sound_datasets import sound_sample, sound_samples, write_sound
from typer.testing import CliRunner

from phq.cli import app
from phq.config.build import load_config
from phq.curate.verify.kinds import KINDS, with_table
from phq.curate.verify.repair import ROUNDS
from phq.curate.verify.report import Report
from phq.curate.verify.verify import verify
from phq.dataset.tables import rows_table
from phq.dataset.tombstones import Tombstone, text_sha256, write_tombstones
from phq.decisions.likeness import LIKENESS, compact, find_likeness
from phq.errors import InputError, OutputError

DAMAGES = [*damaged_shards.DAMAGES, *damaged_tables.DAMAGES, *damaged_descriptions.DAMAGES]


def files(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def stored(folder: Path) -> dict[str, bytes]:
    """Shards and manifest."""
    return {name: content for name, content in files(folder).items() if name.endswith((".tar", "manifest.parquet"))}


def named(report: Report) -> list[tuple[str, str, str]]:
    return [(found.kind, found.file, found.key) for found in report.violations]


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("sound")
    write_sound(out, SAMPLES)
    return out


@pytest.fixture
def sound_copy(sound: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(sound, tmp_path / "dataset"))


def test_a_new_dataset_is_clean_and_verify_changes_nothing(sound: Path) -> None:
    before = files(sound)
    for quick in (False, True):
        report = verify(sound, quick=quick, workers=1)
        assert (report.violations, report.notes) == ([], [])
        assert (report.samples, report.shards) == (12, 10)
    assert files(sound) == before


def test_a_dataset_built_from_photos_is_clean(four_people: Path) -> None:
    report = verify(four_people, workers=1)
    assert (report.violations, report.notes) == ([], [])


@pytest.mark.parametrize("rejects", [None, []])
def test_a_dataset_without_samples_is_clean(tmp_path: Path, rejects: list[dict[str, object]] | None) -> None:
    write_sound(tmp_path, [], rejects)
    assert verify(tmp_path, workers=1).violations == []


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.name)
def test_every_damage_is_named_and_mended_if_it_can_be(sound_copy: Path, damage: Damage) -> None:
    original = stored(sound_copy)
    file, key = damage.run(sound_copy)
    if damage.mended:
        assert (damage.kind, file, key) in named(verify(sound_copy, workers=1))
    mended = verify(sound_copy, repair=True, workers=1)
    if damage.mended:
        assert mended.clean
        assert mended.repaired
        assert stored(sound_copy) == original
    else:
        assert (damage.kind, file, key) in named(mended)


def test_any_flipped_byte_of_a_shard_is_found(sound_copy: Path) -> None:
    rng = random.Random(0)
    shards = sorted(sound_copy.glob("*/*.tar"))
    for _ in range(40):
        path = rng.choice(shards)
        before = path.read_bytes()
        at = rng.randrange(len(before))
        with edited_bytes(path) as content:
            content[at] ^= 1 << rng.randrange(8)
        (sound_copy / "croissant.json").rename(sound_copy.parent / "croissant.json")  # not by the checksum of the whole
        found = {violation.file for violation in verify(sound_copy, workers=1).violations}
        (sound_copy.parent / "croissant.json").rename(sound_copy / "croissant.json")
        assert path.relative_to(sound_copy).as_posix() in found, at
        path.write_bytes(before)


def test_damages_do_not_hide_each_other(sound_copy: Path) -> None:
    names = ("header_byte", "byte_of_an_image", "padding", "index_removed", "count_edited")
    expected = [(damage.kind, *damage.run(sound_copy)) for damage in DAMAGES if damage.name in names]
    (sound_copy / SHARDS["val"][0]).write_bytes(b"not a tar")
    found = named(verify(sound_copy, workers=1))
    assert [one for one in expected if one not in found] == []
    assert ("sample_missing", SHARDS["val"][0]) in [(kind, file) for kind, file, _ in found]


def test_the_report_does_not_depend_on_the_workers(sound_copy: Path) -> None:
    for damage in DAMAGES:
        if damage.name in ("header_byte", "null", "samples_in_the_index"):
            damage.run(sound_copy)
    alone, together = (verify(sound_copy, workers=workers).violations for workers in (1, 2))
    assert alone == together != []


def test_quick_finds_what_is_not_in_the_pictures(sound_copy: Path) -> None:
    start, _ = place(sound_copy, FIRST, "jpg")
    with edited_bytes(sound_copy / PAIR) as content:
        content[start + 700] ^= 1
        content[place(sound_copy, SECOND, "json")[0]] ^= 1
    assert {v.kind for v in verify(sound_copy, quick=True, workers=1).violations} == {"json_damaged"}


def test_the_users_own_files_are_noted_and_kept_by_repair(sound_copy: Path) -> None:
    mine = dict.fromkeys(("notes.txt", "train/a.txt", "notes.tmp", "overlays/mine.csv", "papers/a.pdf"), b"mine")
    for name, content in mine.items():
        (sound_copy / name).parent.mkdir(exist_ok=True)
        (sound_copy / name).write_bytes(content)
    text = (sound_copy / "README.md").read_text("utf-8").replace("| train | 10 |", "| train | 9 |")
    (sound_copy / "README.md").write_text(text + "\n## How we use it\n\nOften.\n", "utf-8")
    report = verify(sound_copy, repair=True, workers=1)
    assert report.clean
    assert len(report.notes) == len(mine)
    assert {name: files(sound_copy)[name] for name in mine} == mine
    assert "Often." in (sound_copy / "README.md").read_text("utf-8")


def test_a_card_of_which_nothing_is_left_is_written_in_full(sound_copy: Path) -> None:
    whole = (sound_copy / "README.md").read_bytes()
    (sound_copy / "README.md").write_bytes(b"\n")
    assert verify(sound_copy, repair=True, workers=1).clean
    assert (sound_copy / "README.md").read_bytes() == whole


def test_what_cannot_be_repaired_stays_and_keeps_its_checksum(sound_copy: Path) -> None:
    stated = (sound_copy / "croissant.json").read_bytes()
    with edited_bytes(sound_copy / PAIR) as content:
        content[place(sound_copy, FIRST, "jpg")[0] + 700] ^= 1
        content[-1] = 1
    report = verify(sound_copy, repair=True, workers=1)
    assert {v.kind for v in report.violations} == {"key_wrong", "checksum_differs"}
    assert (sound_copy / "croissant.json").read_bytes() == stated


@pytest.mark.parametrize("name", ["shard_removed", "shard_cut_off", "sample_removed", "folder_in_the_place_of_a_shard"])
def test_what_says_that_something_is_missing_stays(sound_copy: Path, name: str) -> None:
    next(damage for damage in DAMAGES if damage.name == name).run(sound_copy)
    before = files(sound_copy)
    assert not verify(sound_copy, repair=True, workers=1).clean
    assert files(sound_copy) == before


def test_a_manifest_is_not_rebuilt_without_a_shard(sound_copy: Path) -> None:
    (sound_copy / PAIR).unlink()
    (sound_copy / "manifest.parquet").unlink()
    assert "manifest_missing" in {v.kind for v in verify(sound_copy, repair=True, workers=1).violations}
    assert not (sound_copy / "manifest.parquet").exists()


def test_a_redacted_sample_does_not_come_back(sound_copy: Path) -> None:
    write_rows(sound_copy, [row for row in rows_of(sound_copy) if row["key"] != SECOND])
    write_tombstones(sound_copy / "tombstones.parquet", [Tombstone(text_sha256(SECOND), "2024-01-01", "")])
    report = verify(sound_copy, repair=True, workers=1)
    assert {"tombstone_alive", "sample_unlisted"} <= {v.kind for v in report.violations}
    assert SECOND not in [row["key"] for row in rows_of(sound_copy)]


@pytest.mark.parametrize("name", ["nothing", "empty"])
def test_a_folder_without_a_dataset_is_an_error(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    for repair in (False, True):
        with pytest.raises(InputError, match=name):
            verify(tmp_path / name, repair=repair)


def test_several_row_groups_and_samples_without_an_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("phq.dataset.tables.ROWS_PER_GROUP", 5)
    write_sound(tmp_path, sound_samples(18, 4))
    assert verify(tmp_path, workers=1).violations == []


def test_every_kind_has_either_a_repair_or_advice_and_a_damage_of_its_own() -> None:
    mended = {"journal_left"}.union(*(step.kinds for steps in ROUNDS for step in steps))
    assert mended == {kind.name for kind in KINDS if kind.repair}
    assert all(bool(kind.repair) != bool(kind.advice) for kind in KINDS)
    assert {kind.name for kind in KINDS} - {damage.kind for damage in DAMAGES} == {"shard_too_large"}


def test_too_many_samples_or_bytes_in_a_shard(sound_copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("phq.curate.verify.shard.SAMPLES_PER_SHARD", 1)
    assert ("shard_too_large", PAIR) in {(v.kind, v.file) for v in verify(sound_copy, workers=1).violations}
    monkeypatch.undo()
    monkeypatch.setattr("phq.curate.verify.shard.BYTES_PER_SHARD", 10_000)
    assert ("shard_too_large", PAIR) in {(v.kind, v.file) for v in verify(sound_copy, workers=1).violations}


def test_the_document_has_the_table_of_the_code() -> None:
    page = (Path(__file__).parents[2] / "docs" / "keep-healthy.md").read_text("utf-8")
    assert page == with_table(page), "run: python -m phq.curate.verify.kinds docs/keep-healthy.md"


def test_the_command_says_it_in_lines_json_and_exit_code(sound_copy: Path, tmp_path: Path) -> None:
    arguments = ["verify", str(sound_copy), "--workers", "1", "--json", str(tmp_path / "report.json")]
    done = CliRunner().invoke(app, arguments)
    assert (done.exit_code, "clean" in done.output) == (0, True)
    with edited_bytes(sound_copy / PAIR) as content:
        content[-1] = 1
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 1
    assert f"end_damaged  {PAIR}  " in done.output
    report = json.loads((tmp_path / "report.json").read_bytes())
    assert next((v["kind"], v["file"], v["key"]) for v in report["violations"]) == ("end_damaged", PAIR, "")
    assert not report["clean"]
    assert CliRunner().invoke(app, [*arguments, "--repair"]).exit_code == 0
    assert json.loads((tmp_path / "report.json").read_bytes())["repaired"] == [f"{PAIR} written again"]


def test_a_file_that_is_no_report_is_not_written_over(sound_copy: Path) -> None:
    before = files(sound_copy)
    done = CliRunner().invoke(app, ["verify", str(sound_copy), "--json", str(sound_copy / "run.json")])
    assert isinstance(done.exception, OutputError)
    assert files(sound_copy) == before


@pytest.mark.parametrize("gone", ["best", "worse", "both"])
def test_a_row_made_anew_says_whom_it_looks_like_as_the_build_did(tmp_path: Path, gone: str) -> None:
    best = sound_sample(0, source_px_per_px=2.0)
    looks = {name: best.row[name] for name in ("phash", "phash_mirror", "appearance")}
    worse = sound_sample(1, source_px_per_px=1.0, **looks)
    samples = sorted([best, worse, *map(sound_sample, range(2, 6))], key=lambda sample: str(sample.row["key"]))
    likeness = compact(rows_table([sample.row for sample in samples], LIKENESS))
    everything = load_config("everything")
    for number, fields in find_likeness(likeness, everything).by_row(likeness, everything).items():
        samples[number].row.update(fields)
    assert worse.row["duplicate_of"] == worse.row["duplicate_group"] == best.row["duplicate_group"] == best.row["key"]
    write_sound(tmp_path, samples)
    before = files(tmp_path)
    lost = {"best": [best], "worse": [worse], "both": [best, worse]}[gone]
    keys = [sample.row["key"] for sample in lost]
    write_rows(tmp_path, [row for row in rows_of(tmp_path) if row["key"] not in keys])
    assert verify(tmp_path, repair=True, workers=1).clean
    assert files(tmp_path) == before
