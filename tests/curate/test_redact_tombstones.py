"""What remains of a redaction: tombstones, and the log of takedowns."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from curated_datasets import traces
from redacted_people import DAY, SHA, needles
from tiny_datasets import TinySample

from phq.curate.redact import redact
from phq.dataset.tables import read_table
from phq.dataset.takedowns import WITHHELD, takedown_page, takedowns
from phq.dataset.tombstones import Tombstone, read_tombstones, text_sha256, tombstoned, unite_tombstones


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


def test_whom_the_reason_of_an_older_file_names_is_not_known(tmp_path: Path) -> None:
    older = {"key_sha256": ["0" * 64, "1" * 64], "date": [DAY, DAY], "reason": ["Anna asked", ""]}
    pq.write_table(pa.table(older), tmp_path / "tombstones.parquet")
    assert [stone.named for stone in read_tombstones(tmp_path)] == [True, False]
    both = [Tombstone("0" * 64, DAY, "Anna asked"), Tombstone("0" * 64, DAY, "Anna asked", named=True)]
    assert unite_tombstones(both) == both[1:]
