"""Datasets from photos inside archives: the bytes are those of the unpacked folder, and everything else works too."""

from __future__ import annotations

import os
import tarfile
import zipfile
from pathlib import Path

import pytest
from networkless_pipeline import SIDE, digests, names, photos

from phq.building import unit
from phq.building.build import BuildResult, build
from phq.building.executors.choice import Engine, Execution
from phq.dataset.reader import Dataset
from phq.errors import InputError

pytestmark = pytest.mark.usefixtures("networkless")

INLINE = Execution(engine=Engine.inline)


def made(source: Path, out: Path, **options: object) -> BuildResult:
    return build(source, out, **{"preset": "everything", "size": SIDE, "execution": INLINE, **options})


def packed(folder: Path, path: Path) -> Path:
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w") as archive:
            for file in sorted(folder.iterdir(), reverse=True):
                archive.write(file, file.name)
        return path
    with tarfile.open(path, "w") as archive:
        archive.add(folder, ".")
    return path


def dataset_bytes(out: Path) -> dict[str, str]:
    """Hashes of all files but the record of the run and the list of inputs, which have times in them."""
    return {name: digest for name, digest in digests(out).items() if name not in ("run.json", ".phq-inputs.parquet")}


@pytest.mark.parametrize("suffix", ["zip", "tar"])
def test_an_archive_makes_the_dataset_of_the_folder(tmp_path: Path, suffix: str) -> None:
    folder = photos(tmp_path / "photos", names(9))
    made(folder, tmp_path / "plain")
    made(packed(folder, tmp_path / f"a.{suffix}"), tmp_path / "out")
    assert dataset_bytes(tmp_path / "out") == dataset_bytes(tmp_path / "plain")


def test_an_interrupted_build_of_archives_continues(tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "in").mkdir()
    for number in range(2):
        folder = photos(tmp_path / f"photos{number}", names(6, 6 * number))
        packed(folder, tmp_path / "in" / f"{number}.zip")
    opened: list[str] = []
    real = unit.opened

    def dies(found, refusal):
        opened.append(found.name)
        if found.name == "1.zip/0007.jpg" and opened.count(found.name) == 1:
            raise KeyboardInterrupt
        return real(found, refusal)

    monkeypatch.setattr(unit, "opened", dies)
    with pytest.raises(KeyboardInterrupt):
        made(tmp_path / "in", tmp_path / "out")
    done = len(opened) - 1
    made(tmp_path / "in", tmp_path / "out")
    assert len(opened) < 12 + done  # what was finished is not done again
    made(tmp_path / "in", tmp_path / "whole")
    assert dataset_bytes(tmp_path / "out") == dataset_bytes(tmp_path / "whole")


def test_photos_that_were_added_to_an_archive_extend_the_dataset(tmp_path: Path) -> None:
    source = tmp_path / "a.zip"
    packed(photos(tmp_path / "photos", names(5)), source)
    made(source, tmp_path / "out")
    before = len(Dataset(tmp_path / "out"))
    packed(photos(tmp_path / "photos", names(9)), source)
    os.utime(source, (1, 1))
    result = build(source, tmp_path / "out", execution=INLINE, extend=True)
    assert (len(result.differs.new), len(result.differs.changed), len(result.differs.vanished)) == (4, 0, 0)
    assert len(Dataset(tmp_path / "out")) > before


def test_the_output_folder_is_not_looked_into(tmp_path: Path) -> None:
    photos(tmp_path / "photos", names(3))
    out = tmp_path / "photos" / "out"
    out.mkdir()
    assert made(tmp_path / "photos", out).photos == 3
    only = tmp_path / "only"
    photos(only / "out", names(1))
    with pytest.raises(InputError, match="every photo is in the output folder"):
        made(only, only / "out")
