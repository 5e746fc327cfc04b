"""What is redacted is nowhere any more, and everything else is as it was."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from curated_datasets import files, person, traces, write
from redacted_people import DAY, PHOTO, make, needles, thrown_out
from tiny_datasets import TinySample

from phq.curate.redact import Redacted, lines, redact
from phq.curate.verify.verify import verify
from phq.dataset.reader import Dataset
from phq.dataset.tables import read_table
from phq.errors import InputError, OutputError


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
