"""A build that stores its rejects: counts of those it keeps, and its decision in one change with its tables."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

import pytest
from file_faults import KilledError, faults
from networkless_pipeline import SIDE, digests, names, photos

from phq.building.build import BuildResult, build
from phq.building.executors.choice import Engine, Execution
from phq.building.summary import summary
from phq.curate.bake import bake
from phq.curate.redact import redact
from phq.curate.verify.verify import verify
from phq.dataset.reader import Dataset
from phq.errors import OutputError

pytestmark = pytest.mark.usefixtures("networkless")

INLINE = Execution(engine=Engine.inline)


def made(source: Path, out: Path, extend: bool = False) -> BuildResult:
    rules = ("blur.min=0.5",)
    return build(source, out, preset="everything", sets=rules, size=SIDE, execution=INLINE, keep_rejects=True,
                 extend=extend)  # fmt: skip


def check(out: Path, counts: dict[str, object]) -> None:
    """Counts are those of the dataset as it is read."""
    kept = Dataset(out)
    rejected = [reason for reason in Dataset(out, rejects=True).table["reason"].to_pylist() if reason]
    assert counts["kept"] == len(kept)
    assert counts["rejected"] == {reason: rejected.count(reason) for reason in sorted(set(rejected))}
    assert [v.kind for v in verify(out, workers=1, quick=True).violations if v.kind == "run_counts"] == []


def counts_of(out: Path) -> dict[str, object]:
    return json.loads((out / "run.json").read_bytes())["counts"]


def test_counts_are_those_after_the_decision(tmp_path: Path) -> None:
    source, out = photos(tmp_path / "photos", names(11)), tmp_path / "set"
    done = made(source, out)
    stored = len(Dataset(out, revision="none"))
    assert 0 < done.counts["kept"] < stored
    check(out, done.counts)
    check(out, counts_of(out))
    assert f"kept {len(Dataset(out))}   rejected" in summary(done)
    assert sum(done.sectors) == len(Dataset(out))

    photos(source, names(8, 11))
    before = len(Dataset(out))
    more = made(source, out, extend=True)
    assert more.counts["kept"] == len(Dataset(out)) - before
    check(out, counts_of(out))
    assert counts_of(out)["revision"] == "build-2"

    redact(out, [Dataset(out).keys[0], next(k for k in Dataset(out, revision="none").keys if k not in Dataset(out))])
    check(out, counts_of(out))
    bake(out, tmp_path / "baked")
    check(tmp_path / "baked", counts_of(tmp_path / "baked"))
    assert "revision" not in counts_of(tmp_path / "baked")


def test_a_wrong_count_is_found_and_repaired(tmp_path: Path) -> None:
    out = tmp_path / "set"
    made(photos(tmp_path / "photos", names(6)), out)
    run = json.loads((out / "run.json").read_bytes())
    right = run["counts"]["kept"]
    run["counts"]["kept"] = len(Dataset(out, revision="none"))
    (out / "run.json").write_text(json.dumps(run))
    assert "run_counts" in [violation.kind for violation in verify(out, workers=1, quick=True).violations]
    verify(out, repair=True, workers=1, quick=True)
    assert counts_of(out)["kept"] == right


def test_killed_between_manifest_and_overlay_it_is_not_a_dataset_of_everybody(tmp_path: Path) -> None:
    source = photos(tmp_path / "photos", names(3))
    with faults(tmp_path) as plan:
        made(source, tmp_path / "whole")
    want = digests(tmp_path / "whole")
    record = next(n for n, (what, path) in enumerate(plan.seen) if (what, path) == ("rename", _record("whole", ".tmp")))
    last = len(plan.seen) - 1
    for moment in (record - 1, record, record + 9, record + 18, last - 12):
        out = tmp_path / f"s{moment:04d}"  # as long as the other's name
        with faults(tmp_path, "raise", moment), suppress(KilledError):
            made(source, out)
        with suppress(OutputError):  # "already holds a dataset": all was there
            made(source, out)
        assert digests(out) == want, moment
        assert len(Dataset(out)) == len(Dataset(tmp_path / "whole"))


def _record(name: str, suffix: str = "") -> str:
    return f"{name}/.phq-journal/journal.json{suffix}"
