"""Packs of several files, and the commands."""

from __future__ import annotations

import io
import re
import zipfile
from pathlib import Path

import pytest
from typer.testing import CliRunner
from unreliable_server import Server
from weights_catalogue import CONTENT, serve

from phq.cli import app
from phq.errors import WeightError
from phq.weights import catalogue
from phq.weights.embedded import registry
from phq.weights.packs import pack_file, pack_folder
from phq.weights.store import pull, weights_path

pytestmark = pytest.mark.usefixtures("cache")


def zipped(**files: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as target:
        target.mkdir("folder")
        for name, content in files.items():
            target.writestr(name, content)
    return out.getvalue()


def test_a_pack_is_unpacked_once_and_mended(server: Server, cache: Path) -> None:
    serve(server, catalogue.FILE, pack=zipped(**{"a.onnx": CONTENT, "folder/deploy.json": b"{}"}))
    with pytest.raises(WeightError, match="phq weights pull pack"):
        pack_folder("pack")
    pull("pack")
    folder = pack_folder("pack")
    assert folder == cache.parent / "models" / "pack"
    assert sorted(str(p.relative_to(folder)) for p in folder.rglob("*.*")) == ["a.onnx", "folder/deploy.json"]
    network = pack_file("pack", ".onnx")
    before = network.stat().st_mtime_ns
    assert pack_file("pack", ".onnx").stat().st_mtime_ns == before
    network.write_bytes(CONTENT[:-1] + b"x")
    assert pack_file("pack", ".onnx").read_bytes() == CONTENT
    with pytest.raises(WeightError, match=r"0 files that end in \.task"):
        pack_file("pack", ".task")


@pytest.mark.parametrize("name", ["../outside", "/outside", "a/../../outside", "..\\outside", "c:outside"])
def test_a_pack_cannot_reach_outside(server: Server, cache: Path, name: str) -> None:
    serve(server, catalogue.FILE, pack=zipped(**{name: b"harm"}))
    pull("pack")
    with pytest.raises(WeightError, match="outside"):
        pack_folder("pack")
    assert not list(cache.parent.rglob("*outside*"))


def test_a_pack_that_is_not_a_zip() -> None:
    pull("known")
    with pytest.raises(WeightError, match="not a zip"):
        pack_folder("known")


def run(*arguments: str, code: int = 0) -> str:
    result = CliRunner().invoke(app, ["weights", *arguments], catch_exceptions=True)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == code, result.output
    return result.stdout


def test_the_commands_from_list_to_verify(cache: Path) -> None:
    lines = run("list").splitlines()
    assert next(line for line in lines if line.startswith("known ")).split()[1:5] == ["not", "pulled", "300.0", "kB"]
    assert any(line.startswith("nanodet") and "embedded" in line for line in lines)
    with pytest.raises(WeightError, match="did you mean known"):
        run("pull", "other", "knwon")
    assert not cache.exists(), "an unknown name stops all"
    assert run("verify", "known", code=1).split()[:3] == ["known", "not", "pulled"]
    output = run("pull", "known", "other")
    assert f"known   downloaded, sha256 checked   {cache / 'known.bin'}\nlicence: L\n" in output
    assert "other   downloaded" in output
    assert "already here" in run("pull", "known", "--offline")
    assert "known   here" in run("verify")
    weights_path("known").write_bytes(b"damaged")
    assert "known   damaged" in run("verify", code=1)


def test_licences_of_everything_or_of_the_named() -> None:
    lines = run("licences").splitlines()
    assert {weight.licence for weight in registry().values()} | {"L"} == {x for x in lines if x[0] != " "}
    assert run("licences", "known", "centerface") == (
        f"L\n  known   somebody\nMIT\n  centerface   {registry()['centerface'].source}\n"
    )
    with pytest.raises(WeightError, match="no weights 'x'"):
        run("licences", "x")


def test_every_registered_download_is_complete(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()  # the real catalogue
    entries = list(catalogue.remotes().values())
    assert [e.name for e in entries] == sorted({e.name for e in entries} - set(registry()))
    assert len({e.file for e in entries}) == len(entries)
    for entry in entries:
        assert entry.url.startswith("https://")
        assert entry.licence and entry.source and entry.purpose
        assert re.fullmatch("[0-9a-f]{64}", entry.sha256) and entry.size > 0
        assert Path(entry.file).name == entry.file
