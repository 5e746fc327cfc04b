"""``run.json``: one shape, whatever command made the dataset."""

import json
from pathlib import Path

import pytest

from phq.config.build import load_config
from phq.dataset.root import Root
from phq.dataset.run import first_command, read_run, run_record, source_record
from phq.errors import InputError
from phq.system.version import __version__
from phq.weights.embedded import registry

COUNTS = {"photos": 3, "people": 2, "kept": 1, "rejected": {"blurred": 1}}
WEIGHT = {"name": "net", "sha256": "1" * 64, "licence": "MIT", "source": "s", "purpose": "p"}


def test_every_command_states_the_same_keys():
    records = [
        run_record("build", COUNTS, config=load_config(seed=7), weights=[registry()["nanodet"]], plan="1", seconds={}),
        run_record("merge", COUNTS, sources=[{"name": "a"}], details={"duplicates": {}}),
        run_record("import", COUNTS, config={"seed": 7}, sidecar={"name": "credits.csv"}),
    ]
    assert len({tuple(sorted(record)) for record in records}) == 1
    build, merge, _ = records
    assert (build["version"], build["seed"], build["config"]["preset"]) == (__version__, 7, "default")
    assert (merge["config"], merge["seed"], merge["weights"]) == (None, None, [])
    assert build["weights"][0]["sha256"] == registry()["nanodet"].sha256
    assert build["weights"][0]["licence"].startswith("Apache-2.0")
    json.dumps(records, allow_nan=False)


def test_a_weight_is_stated_once_and_a_time_in_milliseconds():
    record = run_record("bake", COUNTS, weights=[WEIGHT, dict(WEIGHT)], seconds={"wall": 1.23456})
    assert record["weights"] == [WEIGHT]
    assert record["seconds"] == {"wall": 1.235}


def test_a_record_without_a_count_is_refused():
    with pytest.raises(ValueError, match="build lacks the counts people, rejected"):
        run_record("build", {"photos": 1, "kept": 1})


def test_what_made_the_samples_is_found_through_bakes():
    build = run_record("build", COUNTS, config=load_config())
    once = run_record("bake", COUNTS, sources=[source_record(build | {"card": {}, "overlays": ["v2"]})])
    twice = run_record("bake", COUNTS, sources=[source_record(once, name="a")])
    assert first_command(twice) == "build"
    assert once["sources"][0].keys() & {"card", "overlays"} == set()
    assert twice["sources"][0]["name"] == "a"
    assert first_command(run_record("merge", COUNTS, sources=[build])) == "merge"
    assert first_command({}) == ""


@pytest.mark.parametrize("content", [b"{", b"[]"])
def test_a_damaged_record_is_an_error(tmp_path: Path, content: bytes):
    (tmp_path / "run.json").write_bytes(content)
    with pytest.raises(InputError, match=r"run\.json of .* is damaged"):
        read_run(Root(tmp_path))
