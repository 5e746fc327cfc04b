"""croissant.json is valid, tells the truth, and leads the reference reader to every sample."""

from __future__ import annotations

import hashlib
import io
import json
from pathlib import Path
from typing import Any

import mlcroissant
import numpy as np
import pytest
from etils import epath
from PIL import Image
from tiny_datasets import tiny_samples, write_tiny

from phq.schema import Row, column_kind

SAMPLES = tiny_samples(9, 2)
BY_KEY = {sample.row["key"]: sample for sample in SAMPLES}
ADVICE = {"citeAs", "datePublished", "version", "license"}
"""What the specification recommends and phq cannot know."""


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # the reader unpacks each shard once for all datasets, by its path inside the dataset
    monkeypatch.setattr("mlcroissant._src.operation_graph.operations.extract.EXTRACT_PATH", epath.Path(tmp_path / "x"))


@pytest.fixture(scope="module")
def described(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("croissant")
    write_tiny(out, SAMPLES)
    return out


def opened(folder: Path) -> Any:
    """The dataset through the reference reader, which must have nothing to complain about."""
    dataset = mlcroissant.Dataset(folder / "croissant.json")
    issues = dataset.metadata.ctx.issues
    assert not issues.errors
    assert all(any(f'/{name}"' in warning for name in ADVICE) for warning in issues.warnings), issues.report()
    return dataset


def test_it_is_valid(described: Path) -> None:
    metadata = opened(described).metadata
    assert {part.uuid for part in metadata.record_sets} == {"samples", "images", "masks"}
    assert set(metadata.license) == {sample.row["licence"] for sample in SAMPLES} - {""}


def test_checksums_are_those_of_the_files(described: Path) -> None:
    stated = json.loads((described / "croissant.json").read_bytes())["distribution"]
    files = {part["contentUrl"]: part for part in stated if part["@type"] == "cr:FileObject"}
    names = {path.relative_to(described).as_posix() for path in described.rglob("*.tar")}
    assert files.keys() == names | {"manifest.parquet"}
    for name, part in files.items():
        content = (described / name).read_bytes()
        assert part["sha256"] == hashlib.sha256(content).hexdigest()
        assert part["contentSize"] == f"{len(content)} B"


def test_the_reader_finds_every_row_with_every_field(described: Path) -> None:
    found = list(opened(described).records("samples"))
    assert [record["samples/key"].decode() for record in found] == list(BY_KEY)
    for record, sample in zip(found, SAMPLES, strict=True):
        assert {name.removeprefix("samples/") for name in record} == set(Row.model_fields)
        for name, wanted in sample.row.items():
            value = record[f"samples/{name}"]
            if column_kind(name)[0] is str:
                value = value.decode()
            assert value == wanted, name


@pytest.mark.parametrize(("name", "field", "member"), [("images", "image", "jpg"), ("masks", "mask", "mask.png")])
def test_the_reader_finds_every_picture_in_the_shards(described: Path, name: str, field: str, member: str) -> None:
    found = {record[f"{name}/key"].decode(): record[f"{name}/{field}"] for record in opened(described).records(name)}
    assert found.keys() == BY_KEY.keys()
    for key, picture in found.items():
        stored = Image.open(io.BytesIO(BY_KEY[key].members[member]))
        assert np.array_equal(np.asarray(picture), np.asarray(stored))


def test_the_reader_refuses_a_manifest_that_is_not_the_one_described(described: Path, tmp_path: Path) -> None:
    out = tmp_path / "dataset"
    write_tiny(out, SAMPLES)
    with (out / "manifest.parquet").open("ab") as stream:
        stream.write(b"x")
    with pytest.raises(mlcroissant.GenerationError, match=r"Download\(manifest.parquet\)"):
        list(opened(out).records("samples"))


def test_nothing_kept_and_nothing_stated_is_valid_too(tmp_path: Path) -> None:
    write_tiny(tmp_path / "none", [])
    assert opened(tmp_path / "none").metadata.license is None
    assert list(opened(tmp_path / "none").records("samples")) == []
