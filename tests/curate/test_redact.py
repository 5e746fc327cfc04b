"""What is redacted is nowhere any more, and everything else is as it was."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from curated_datasets import files, overlay, person, reject_of, traces, write
from hypothesis import given
from hypothesis import strategies as st
from tiny_datasets import TinySample

from phq.curate.redact import Redacted, lines, redact
from phq.curate.removal import shard_sizes
from phq.curate.verify.verify import verify
from phq.dataset.folder import shard_names
from phq.dataset.marks_log import open_log
from phq.dataset.reader import Dataset
from phq.dataset.tables import read_table
from phq.dataset.takedowns import WITHHELD, takedown_page, takedowns
from phq.dataset.tombstones import Tombstone, read_tombstones, text_sha256, tombstoned, unite_tombstones
from phq.errors import InputError, OutputError
from phq.view.review.overlay import fold

PHOTO = b"the bytes of the photo"
SHA = hashlib.sha256(PHOTO).hexdigest()
DAY = "2026-01-02"


def people() -> list[TinySample]:
    """Thirty samples; 4 and 5 are of one photo, 6 is the photo of whom a copy was thrown out."""
    sixth = person(6, source_sha256=SHA)
    shared = {"source_path": "photos/pair.jpg", "source_sha256": "5" * 64}
    two = [person(n, **shared, person_index=n - 4) for n in (4, 5)]
    return [*(person(n) for n in range(4)), *two, sixth, *(person(n) for n in range(7, 24)),
            *(person(n, "val") for n in range(24, 30))]  # fmt: skip


def thrown_out(samples: list[TinySample]) -> list[dict[str, Any]]:
    """Two copies of the sixth, of other photos, one of the same stored picture; and rejects of other photos."""
    sixth = samples[6].row
    say = f"4 bits from {sixth['key']} of {sixth['source_path']}"
    return [
        reject_of(person(40), duplicate_of=sixth["key"], detail=say),
        reject_of(samples[6], source_path="photos/copy.jpg", reason="exact_duplicate", duplicate_of=sixth["key"]),
        reject_of(samples[6], person_index=1, key="0123456789abcdef", reason="blurred", phash="1" * 16),
        {"source_path": "photos/bad.jpg", "decision": "rejected", "reason": "truncated", "split": "",
         "detail": "mirror image of photos/0006.jpg"},
        reject_of(person(41), reason="blurred", detail="sharpness is 0.1"),
    ]  # fmt: skip


def make(out: Path, sheet: bool = False) -> tuple[Path, list[TinySample]]:
    samples = people()
    write(out, samples, thrown_out(samples), sheet, sidecar={"unstated": ["photos/0001.jpg", "photos/0006.jpg"]})
    sixth, first = samples[6].row["key"], samples[1].row["key"]
    say = {"examples": [sixth, first], "text": f"of {sixth} and {first}"}
    rows = [{"key": s.row["key"], "note": f"like {sixth}" if s is samples[1] else "", "blur": 0.5} for s in samples]
    overlay(out, "v2", rows, say)
    overlay(out, "only", [{"key": first, "split": "train"}])
    return out, samples


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[TinySample]]:
    return make(tmp_path_factory.mktemp("original") / "set")


@pytest.fixture
def made(original: tuple[Path, list[TinySample]], tmp_path: Path) -> tuple[Path, list[TinySample]]:
    shutil.copytree(original[0], tmp_path / "set")
    return tmp_path / "set", original[1]


def needles(sample: TinySample) -> dict[str, bytes]:
    jpg, fields = sample.members["jpg"], sample.members["json"]
    middle = fields.index(b'"keypoints_2d"')
    return {
        "key": sample.row["key"].encode(),
        "path": sample.row["source_path"].encode(),
        "sha256": sample.row["source_sha256"].encode(),
        "jpg": jpg[len(jpg) // 2 :][:48],
        "json": fields[middle : middle + 200],
        "mask": sample.members["mask.png"][60:108],
    }


@pytest.mark.parametrize("way", ["key", "path", "file"])
def test_nothing_is_left_of_a_sample(made: tuple[Path, list[TinySample]], tmp_path: Path, way: str) -> None:
    folder, samples = made
    wanted = needles(samples[6])
    assert {what.split()[0] for what in traces(folder, wanted)} == set(wanted)  # the search does find things
    (tmp_path / "elsewhere.jpg").write_bytes(PHOTO)
    source = {"key": None, "path": "photos/0006.jpg", "file": str(tmp_path / "elsewhere.jpg")}[way]
    keys = [samples[6].row["key"]] if way == "key" else []
    if way == "key":  # another person of the photo was thrown out, and of it nothing is to be redacted
        wanted.pop("path"), wanted.pop("sha256")
    done = redact(folder, keys, source=source, reason="asked to", day=DAY)
    assert traces(folder, wanted) == []
    assert done.keys == (samples[6].row["key"],)
    assert done.records == (2 if way == "key" else 3)
    assert done.lookalikes == (person(40).row["key"],)
    assert verify(folder, workers=1).violations == []


def test_leftovers_and_drawings_go_and_what_others_wrote_stays(made: tuple[Path, list[TinySample]]) -> None:
    folder, samples = made
    key, jpg = samples[6].row["key"], samples[6].members["jpg"]
    page = f'<meta name="generator" content="phq/1"><img alt="{key}">'.encode()
    ours = {".phq-work/000000.bin": jpg, ".phq-work-annotate-x/000000.parquet": jpg, "deeper/page.html": page,
            "shown": b"\x89PNG Software\0phq/1", "manifest.parquet.tmp": key.encode(),
            "train/phq-train-000002-0123456789ab.tar.tmp": jpg}  # fmt: skip
    theirs = {"notes.txt": b"nothing", "my/list.csv": f"1,{key}".encode(), "page.html": key.encode(), "x.tmp": b""}
    for name, content in (ours | theirs).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    (folder / "nowhere.png").symlink_to("none.png")
    done = redact(folder, [key])
    assert set(done.dropped) == set(ours)
    assert done.mentions == ("my/list.csv", "page.html")
    left = files(folder)
    assert not left.keys() & ours.keys()
    assert {name: left[name] for name in theirs} == theirs
    assert not (folder / ".phq-work").exists()
    assert any("my/list.csv" in line for line in lines(done))


def without_names(card: bytes) -> list[bytes]:
    """Lines of a card that do not say which shards there are."""
    return [line for line in card.splitlines() if b"phq-train-" not in line and b"description:" not in line]


def test_the_rest_is_as_if_the_sample_had_never_been_there(tmp_path: Path) -> None:
    folder, samples = make(tmp_path / "set", sheet=True)
    before = files(folder)
    done = redact(folder, source="photos/0006.jpg")
    rest = [sample for sample in samples if sample is not samples[6]]
    rejects = [row | {"detail": "4 bits from (redacted) of (redacted)", "duplicate_of": ""} for row in
               thrown_out(samples)[:1]]  # fmt: skip
    rejects += [{**thrown_out(samples)[3], "detail": "mirror image of (redacted)"}, thrown_out(samples)[4]]
    fresh = files(write(tmp_path / "fresh", rest, rejects, sidecar={"unstated": ["photos/0001.jpg"]}))
    after = files(folder)
    same = ("contact-sheet.png", "rejects.parquet", "schema.json")
    assert {name: after[name] for name in same} == {name: fresh[name] for name in same}
    assert without_names(after["README.md"]) == without_names(fresh["README.md"])
    run = json.loads(after["run.json"])
    assert run.pop("overlays") == ["v2", "only"]
    assert run == json.loads(fresh["run.json"])
    changed = {name for name in before.keys() & after.keys() if before[name] != after[name]}
    texts = {"README.md", "manifest.parquet", "rejects.parquet", "run.json", "contact-sheet.png", "croissant.json"}
    assert changed == texts | {"overlays/v2.parquet", "train-index.json"}
    assert before.keys() - after.keys() == set(done.shards)
    assert len(done.shards) == 1
    (name,) = done.shards
    (new,) = after.keys() - before.keys() - {"tombstones.parquet"}
    assert new.startswith(name[:-16]), "number and split stay, the tag is another"


def test_the_remaining_samples_are_byte_for_byte_what_they_were(made: tuple[Path, list[TinySample]]) -> None:
    folder, samples = made
    gone = {samples[6].row["key"], samples[25].row["key"]}
    redact(folder, sorted(gone))
    dataset = Dataset(folder, revision="none")
    rest = {s.row["key"]: s.members for s in samples if s.row["key"] not in gone}
    assert {item.key: {name: item.read(name) for name in ("jpg", "json", "mask.png")} for item in dataset} == rest
    assert dataset.keys == sorted(rest)
    later = Dataset(folder)
    assert set(later.table["blur"].to_pylist()) == {0.5}
    assert later[samples[1].row["key"]].row["note"] == "like (redacted)"
    assert [item.row["split"] for item in later] == [item.row["split"] for item in dataset]


def test_one_of_two_people_of_a_photo(made: tuple[Path, list[TinySample]]) -> None:
    folder, samples = made
    redact(folder, [samples[4].row["key"]])
    assert traces(folder, {"key": samples[4].row["key"].encode()}) == []
    assert Dataset(folder)[samples[5].row["key"]].row["source_path"] == "photos/pair.jpg"
    redact(folder, source="photos/pair.jpg")
    assert traces(folder, needles(samples[5])) == []


def test_a_photo_of_which_nobody_was_kept(made: tuple[Path, list[TinySample]]) -> None:
    folder, _ = made
    before = files(folder)
    done = redact(folder, source="photos/bad.jpg")
    assert (done.keys, done.records, done.shards) == ((), 1, ())
    assert traces(folder, {"path": b"photos/bad.jpg"}) == []
    assert {n: c for n, c in files(folder).items() if n.endswith(".tar")} == {
        n: c for n, c in before.items() if n.endswith(".tar")
    }
    assert verify(folder, workers=1).violations == []


def test_tombstones(made: tuple[Path, list[TinySample]]) -> None:
    folder, samples = made
    first, sixth = samples[1].row["key"], samples[6].row["key"]
    redact(folder, [first], reason="one", day="2026-01-01")
    redact(folder, source="photos/0006.jpg", reason="two", day=DAY)
    stones = {stone.key_sha256: (stone.date, stone.reason) for stone in read_tombstones(folder)}
    assert stones == {
        text_sha256(first): ("2026-01-01", "one"),
        **{text_sha256(name): (DAY, "two") for name in (sixth, SHA, "0123456789abcdef")},
    }
    assert tombstoned(folder, [first, sixth, SHA, samples[2].row["key"]]) == {first, sixth, SHA}
    columns = ["key_sha256", "date", "reason", "photo", "named"]
    assert read_table(folder / "tombstones.parquet").column_names == columns
    assert {stone.key_sha256 for stone in read_tombstones(folder) if stone.photo} == {text_sha256(SHA)}
    assert not any(stone.named for stone in read_tombstones(folder))
    assert tombstoned(folder.parent, [first]) == set()


def test_the_takedown_log_counts_and_names_nobody(made: tuple[Path, list[TinySample]]) -> None:
    folder, samples = made
    redact(folder, [samples[n].row["key"] for n in (1, 2)], reason="on request", day="2026-01-01")
    redact(folder, source="photos/0006.jpg", reason="a | b", day=DAY)
    log = takedowns(read_tombstones(folder))
    said = [("2026-01-01", 2, 0, "on request"), (DAY, 2, 1, "a | b")]
    assert [(one.date, one.samples, one.photos, one.reason) for one in log] == said
    page = "\n".join(takedown_page(log))
    assert f"| {DAY} | 2 | 1 | a \\| b | `{log[1].tag}` |" in page
    assert not any(sample.row["key"] in page or sample.row["source_path"] in page for sample in samples)
    named = [Tombstone("0" * 64, DAY, "Anna asked", named=True)]
    assert [one.reason for one in takedowns(named)] == [WITHHELD]
    assert "Nothing was removed" in "\n".join(takedown_page([]))


def test_a_file_of_before_flags_is_read(tmp_path: Path) -> None:
    rows = [{"key_sha256": "0" * 64, "date": DAY, "reason": ""}]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "tombstones.parquet")
    assert read_tombstones(tmp_path) == [Tombstone("0" * 64, DAY, "")]


def test_no_reason_names_what_is_gone(made: tuple[Path, list[TinySample]]) -> None:
    folder, samples = made
    redact(folder, [samples[1].row["key"]], reason="like photos/0006.jpg", day=DAY)
    redact(folder, source="photos/0006.jpg", reason=f"{samples[6].row['key']}: asked to", day=DAY)
    assert traces(folder, needles(samples[6])) == []
    reasons = {stone.reason for stone in read_tombstones(folder)}
    assert reasons == {"like (redacted)", "(redacted): asked to"}


def test_again_does_nothing(made: tuple[Path, list[TinySample]]) -> None:
    folder, samples = made
    redact(folder, source="photos/0006.jpg", day=DAY)
    after = files(folder)
    assert redact(folder, [samples[6].row["key"]]) == Redacted()
    (folder.parent / "photo.jpg").write_bytes(PHOTO)
    assert redact(folder, source=str(folder.parent / "photo.jpg")) == Redacted()
    assert files(folder) == after
    assert list(lines(Redacted())) == ["nothing to do: all of it was redacted before"]


def test_what_cannot_be_done_changes_nothing(made: tuple[Path, list[TinySample]], tmp_path: Path) -> None:
    folder, samples = made
    before = files(folder)
    key = samples[1].row["key"]
    for keys, source, words in (
        ([], None, "name the keys"),
        ([key], "photos/0006.jpg", "name the keys"),
        ([key, "f" * 16], None, "no sample 'ffffffffffffffff'"),
        ([key[:9]], None, f"did you mean {key}"),
        ([], "photos/none.jpg", "neither the source_path"),
        ([], __file__, "no photo of the bytes"),
    ):
        with pytest.raises(InputError, match=words):
            redact(folder, keys, source=source)
    with pytest.raises(InputError, match="not a folder with a dataset"):
        redact(tmp_path, [key])
    assert files(folder) == before


def test_links_are_refused_and_second_names_told(made: tuple[Path, list[TinySample]], tmp_path: Path) -> None:
    folder, samples = made
    item = Dataset(folder, where=f"key = '{samples[6].row['key']}'").table
    shard = folder / item["shard"][0].as_py()
    os.link(shard, tmp_path / "copy.tar")
    os.link(folder / "README.md", tmp_path / "README.md")
    assert redact(folder, [samples[6].row["key"]]).linked == ("README.md", shard.relative_to(folder).as_posix())
    (folder / "run.json").rename(tmp_path / "run.json")
    (folder / "run.json").symlink_to(tmp_path / "run.json")
    before = files(folder)
    with pytest.raises(OutputError, match=r"run\.json is a link"):
        redact(folder, [samples[1].row["key"]])
    assert files(folder) == before


def test_a_table_that_cannot_be_searched_is_refused(made: tuple[Path, list[TinySample]]) -> None:
    folder, samples = made
    for content in (b"mine", (folder / "manifest.parquet").read_bytes()):
        (folder / "overlays" / "mine.parquet").write_bytes(content)
        before = files(folder)
        with pytest.raises(InputError, match=r"mine\.parquet is not an overlay"):
            redact(folder, [samples[1].row["key"]])
        assert files(folder) == before


def test_a_dataset_of_an_older_phq_is_named(made: tuple[Path, list[TinySample]]) -> None:
    folder, samples = made
    table = read_table(folder / "manifest.parquet").drop_columns(["licence", "identity"])
    pq.write_table(table, folder / "manifest.parquet")
    with pytest.raises(InputError, match=r"no column licence, identity; .* was made by an older phq"):
        redact(folder, [samples[1].row["key"]])


@given(st.lists(st.integers(0, 6), min_size=1, max_size=12))
def test_no_shard_is_left_empty(left: list[int]) -> None:
    sizes = shard_sizes(left)
    assert sum(sizes) == sum(left)
    assert all(sizes)
    assert len(sizes) == min(len(left), sum(left))
    if all(left):
        assert sizes == left


def test_an_emptied_shard_takes_from_its_neighbour() -> None:
    assert shard_sizes([4, 0, 3, 5]) == [4, 1, 2, 5]
    assert shard_sizes([4, 5, 0]) == [4, 2, 3]
    assert shard_sizes([0, 0, 1, 4, 9]) == [1, 1, 1, 2, 9]
    assert shard_sizes([1, 0, 1]) == [1, 1]


@pytest.mark.parametrize("gone", ["val", "a shard", "all but three", "all"])
def test_much_of_a_dataset_goes(made: tuple[Path, list[TinySample]], gone: str) -> None:
    folder, samples = made
    shard = shard_names(folder)["train"][3]
    where = {"val": "split = 'val'", "a shard": f"shard = '{shard}'", "all": "true"}.get(gone)
    keys = Dataset(folder, where=where).keys if where else [s.row["key"] for s in samples[3:]]
    redact(folder, keys)
    assert traces(folder, {key: key.encode() for key in keys}) == []
    assert verify(folder, workers=1).violations == []
    assert len(Dataset(folder)) == len(samples) - len(keys)
    assert (folder / "val").exists() == (gone == "a shard")
    assert (folder / "train-index.json").exists()
    assert (folder / shard).exists() == (gone == "val")
    assert len(shard_names(folder)["train"]) == {"val": 8, "a shard": 8, "all but three": 3, "all": 1}[gone]


def test_the_last_shards_go_one_by_one(tmp_path: Path) -> None:
    """Where each shard has one sample, taking the last one changes no other shard, and yet the index."""
    folder = write(tmp_path / "set", [person(n) for n in range(4)], sheet=False)
    for key in sorted(Dataset(folder).keys, reverse=True):
        redact(folder, [key])
        assert verify(folder, workers=1).violations == []
    assert len(Dataset(folder)) == 0


def test_a_card_that_a_person_has_changed_keeps_their_words(made: tuple[Path, list[TinySample]]) -> None:
    folder, samples = made
    key = samples[6].row["key"]
    text = (folder / "README.md").read_text("utf-8")
    (folder / "README.md").write_text(text + f"\n## Thanks\n\nTo everybody, and {key}.\n", "utf-8")
    redact(folder, [key])
    changed = (folder / "README.md").read_text("utf-8")
    assert changed.endswith("\n## Thanks\n\nTo everybody, and (redacted).\n")
    assert "| train | 23 |" in changed
    assert verify(folder, workers=1).violations == []


def test_marks_of_a_redacted_sample_vanish(made: tuple[Path, list[TinySample]]) -> None:
    """From the log and from every overlay that the marks were folded into; marks of others stand as they stood."""
    folder, samples = made
    gone, other, third = (samples[n].row["key"] for n in (6, 1, 2))
    with open_log(folder) as log:
        log.mark("ann", "reject", "review_cut", [gone, other])
        log.mark("bob", "flip", "", [gone])
        assert fold(folder, log.marks) == "review-1"
        log.undo("bob")  # says nothing but the number of what it takes back
        log.mark("bob", "keep", "", [third])
        log.mark("bob", "keep", "", [gone])
        assert fold(folder, log.marks) == "review-2"
        before = {key: log.marks.opinions(key) for key in (other, third)}
    assert {where.split(" in ")[1] for where in traces(folder, {"key": gone.encode()})} > {
        "reviews/marks.jsonl", "overlays/review-1.parquet", "overlays/review-2.parquet",
    }  # fmt: skip
    redact(folder, [gone])
    assert traces(folder, {"key": gone.encode()}) == []
    assert verify(folder, workers=1).violations == []
    with open_log(folder) as log:
        assert log.marks.keys == sorted([other, third])
        assert {key: [(a.reviewer, a.mark, a.reason, a.time) for a in log.marks.opinions(key)] for key in before} == {
            key: [(a.reviewer, a.mark, a.reason, a.time) for a in actions] for key, actions in before.items()
        }
        log.mark("ann", "keep", "", [other])
        assert fold(folder, log.marks) == "review-3"
    decided = {row["key"]: row["decision"] for row in Dataset(folder, rejects=True).table.to_pylist() if row["shard"]}
    assert (decided[other], decided[third], gone in decided) == ("kept", "kept", False)


def test_a_log_of_nothing_but_redacted_samples_is_empty(made: tuple[Path, list[TinySample]]) -> None:
    folder, samples = made
    gone = [samples[n].row["key"] for n in (4, 5)]
    with open_log(folder) as log:
        log.mark("ann", "keep", "", gone)
        log.mark("ann", "flip", "", gone[:1])
        log.undo("ann")
    redact(folder, source="photos/pair.jpg")
    assert traces(folder, {key: key.encode() for key in gone}) == []
    with open_log(folder) as log:
        assert (log.marks.keys, log.undo("ann")[0]) == ([], None)


def test_an_open_review_holds_a_redaction_off(made: tuple[Path, list[TinySample]]) -> None:
    folder, samples = made
    key = samples[6].row["key"]
    with open_log(folder) as log:
        log.mark("ann", "keep", "", [key])
        before = files(folder)
        with pytest.raises(OutputError, match="another phq review is open"):
            redact(folder, [key])
        assert files(folder) == before
    assert redact(folder, [key]).keys == (key,)


def test_whom_the_reason_of_an_older_file_names_is_not_known(tmp_path: Path) -> None:
    older = {"key_sha256": ["0" * 64, "1" * 64], "date": [DAY, DAY], "reason": ["Anna asked", ""]}
    pq.write_table(pa.table(older), tmp_path / "tombstones.parquet")
    assert [stone.named for stone in read_tombstones(tmp_path)] == [True, False]
    both = [Tombstone("0" * 64, DAY, "Anna asked"), Tombstone("0" * 64, DAY, "Anna asked", named=True)]
    assert unite_tombstones(both) == both[1:]
