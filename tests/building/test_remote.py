"""Photos from a URL, datasets at a URL: in memory, and on a real S3 server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import fsspec
import pytest
from networkless_pipeline import SIDE, names, photos
from s3_server import s3_bucket

from phq.building.build import BuildResult, build
from phq.building.executors.choice import Engine, Execution
from phq.dataset.folder import WORK
from phq.dataset.reader import Dataset
from phq.errors import InputError, OutputError
from phq.people.person import Photo
from phq.photos.decode import read_file
from phq.photos.discover import discover
from phq.system import lease
from phq.system.atomic import atomic_write
from phq.system.place import place

pytestmark = pytest.mark.usefixtures("networkless")


@pytest.fixture(scope="module", params=["memory", pytest.param("s3", marks=pytest.mark.slow)])
def url(request: pytest.FixtureRequest) -> Iterator[str]:
    """A place of each kind."""
    if request.param == "memory":
        yield f"memory://{uuid4().hex}"
        return
    with s3_bucket("photos-and-sets") as bucket:
        yield bucket


def put(folder: Path, url: str) -> str:
    fs, where = fsspec.core.url_to_fs(url)
    for path in sorted(folder.iterdir()):
        fs.pipe_file(f"{where}/{path.name}", path.read_bytes())
    return url


def made(source: str | Path, out: str | Path) -> BuildResult:
    return build(source, out, preset="everything", size=SIDE, execution=Execution(engine=Engine.inline))


def files(url: str) -> dict[str, bytes]:
    """Content of every file but the record of the run and the list of the photos, which have times in them."""
    fs, where = fsspec.core.url_to_fs(url)
    fs.invalidate_cache()
    found = {path[len(where) :].strip("/"): fs.cat_file(path) for path in fs.find(where)}
    return {name: content for name, content in found.items() if name not in ("run.json", ".phq-inputs.parquet")}


def test_a_dataset_at_a_url_has_the_bytes_of_one_in_a_folder(url: str, tmp_path: Path) -> None:
    source = photos(tmp_path / "photos", names(5))
    made(source, tmp_path / "out")
    result = made(put(source, f"{url}/a/photos"), f"{url}/a/out")
    assert files(f"{url}/a/out") == files(f"file://{tmp_path / 'out'}")
    assert len(result.kept) == result.counts["kept"] == len(Dataset(f"{url}/a/out"))
    with pytest.raises(OutputError, match="already holds a dataset"):
        made(f"{url}/a/photos", f"{url}/a/out")
    with pytest.raises(OutputError, match="extend a copy on a disk"):
        build(f"{url}/a/photos", f"{url}/a/out", extend=True)


def test_an_interrupted_build_at_a_url_computes_only_what_is_missing(url: str, tmp_path: Path, monkeypatch) -> None:
    source = put(photos(tmp_path / "photos", names(6)), f"{url}/b/photos")
    opened: list[str] = []

    def dies(found, refusal):
        opened.append(found.name)
        if found.name == "0005.jpg" and opened.count("0005.jpg") == 1:
            raise KeyboardInterrupt
        return Photo(found.path, found.name)

    monkeypatch.setattr("phq.building.unit.opened", dies)
    with pytest.raises(KeyboardInterrupt):
        made(source, f"{url}/b/out")
    assert not place(f"{url}/b/out/manifest.parquet").exists()
    assert place(f"{url}/b/out/{WORK}/000000.parquet").exists()
    made(source, f"{url}/b/out")
    assert sorted(opened) == sorted([*names(6), "0004.jpg", "0005.jpg"])
    assert not [name for name in files(f"{url}/b/out") if name.startswith(WORK)]


def test_a_unit_whose_blob_is_gone_is_the_one_that_is_computed_again(url: str, tmp_path: Path, monkeypatch) -> None:
    source, out = photos(tmp_path / "photos", names(6)), f"{url}/gone"

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("phq.building.build.conclude_units", stop)
        made(source, out)
    (place(out) / WORK / "000001.bin").unlink()
    made(source, out)
    made(source, tmp_path / "whole")
    assert len(Dataset(out)) == len(Dataset(tmp_path / "whole"))


def test_half_an_object_is_never_sent(url: str) -> None:
    path = place(f"{url}/c/thing.bin")
    with pytest.raises(KeyboardInterrupt), atomic_write(path) as stream:
        stream.write(bytes(20 << 20))
        raise KeyboardInterrupt
    assert not path.exists()


def test_two_builds_at_one_url_are_refused_and_a_dead_one_is_not_waited_for(url: str, monkeypatch) -> None:
    monkeypatch.setattr(lease, "BEAT_S", 0.2)
    lock = place(f"{url}/d/lock")
    with lease.leased(lock, "busy"), pytest.raises(OutputError, match="busy"), lease.leased(lock, "busy"):
        pass
    assert not lock.exists()
    lock.write_bytes(b'{"owner": "a dead one", "beats": 3}')
    with lease.leased(lock, "busy"):
        assert b"a dead one" not in lock.read_bytes()
    assert not lock.exists()


def test_what_is_not_there_is_said(url: str) -> None:
    with pytest.raises(InputError, match="there is nothing at"):
        discover(f"{url}/nowhere")
    with pytest.raises(Exception, match="missing_file"):
        read_file(place(f"{url}/nowhere/a.jpg"))


def test_a_url_that_nobody_knows_is_refused() -> None:
    with pytest.raises(OutputError, match="cannot use nonsense://"):
        place("nonsense://bucket/out")
