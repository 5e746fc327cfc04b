"""Weights carried to a machine without a network, packs of several files, and the commands."""

from __future__ import annotations

import io
import json
import re
import zipfile
from pathlib import Path

import pytest
from phq.commands.weights import weights_app
from typer.testing import CliRunner
from unreliable_server import Server
from weights_catalogue import CONTENT, SHA256

from phq.errors import InputError, OutputError, WeightError
from phq.weights import catalogue
from phq.weights.archive import CONTENTS, export_archive, import_archive
from phq.weights.embedded import registry
from phq.weights.packs import pack_file, pack_folder
from phq.weights.pins import expected_sha256
from phq.weights.store import pull, weights_path

pytestmark = pytest.mark.usefixtures("cache")


def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str = "other") -> None:
    """From here on another machine, without a network."""
    monkeypatch.setenv("PHQ_CACHE", str(tmp_path / name))
    monkeypatch.setenv("PHQ_OFFLINE", "1")


def test_what_was_pulled_here_is_used_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pull("known")
    pull("open")
    archive, again = tmp_path / "weights.zip", tmp_path / "again.zip"
    assert [entry.name for entry in export_archive(archive)] == ["known", "open"]
    export_archive(again, ["known", "open", "known"])
    assert archive.read_bytes() == again.read_bytes()
    elsewhere(tmp_path, monkeypatch)
    brought = import_archive(archive)
    assert ([entry.name for entry in brought.entries], brought.unknown) == (["known", "open"], ())
    assert weights_path("known").read_bytes() == weights_path("open").read_bytes() == CONTENT
    assert import_archive(archive) == brought, "twice is as good as once"


def test_export_changes_nothing_that_exists_and_needs_sound_weights(tmp_path: Path) -> None:
    taken = tmp_path / "taken.zip"
    taken.write_text("mine")
    with pytest.raises(OutputError, match="exists"):
        export_archive(taken)
    assert taken.read_text() == "mine"
    with pytest.raises(WeightError, match="phq weights pull"):
        export_archive(tmp_path / "new.zip")
    with pytest.raises(WeightError, match="not here"):
        export_archive(tmp_path / "new.zip", ["known"])
    pull("known").path.write_bytes(b"damaged")
    with pytest.raises(WeightError, match="sha256"):
        export_archive(tmp_path / "new.zip", ["known"])
    assert sorted(p.name for p in tmp_path.glob("*.zip*")) == ["taken.zip"]


def archive_of(path: Path, listed: object, **members: bytes) -> Path:
    with zipfile.ZipFile(path, "w") as target:
        target.writestr(CONTENTS, listed if isinstance(listed, str) else json.dumps(listed))
        for name, content in members.items():
            target.writestr(name, content)
    return path


def item(name: str, sha256: str = SHA256, file: str = "f") -> dict[str, str]:
    return {"name": name, "file": file, "sha256": sha256}


def test_an_altered_archive_brings_nothing(tmp_path: Path, cache: Path) -> None:
    wrong = CONTENT[:-1] + b"x"
    for listed, said in (
        ([item("known")], "is damaged"),
        ([item("known", "0" * 64)], f"expected {SHA256}"),
        ([item("open")], "is damaged"),
    ):
        with pytest.raises(WeightError, match=said):
            import_archive(archive_of(tmp_path / "a.zip", listed, f=wrong))
    assert [p.name for p in cache.iterdir() if p.suffix != ".lock"] == []


def test_a_pin_is_not_replaced_by_an_archive(tmp_path: Path) -> None:
    pull("open")
    other = archive_of(tmp_path / "a.zip", [item("open", "0" * 64)], f=b"other")
    with pytest.raises(WeightError, match=f"expected {SHA256}"):
        import_archive(other)
    assert expected_sha256(catalogue.remotes()["open"]) == SHA256


def test_the_archive_cannot_choose_where_its_files_go(tmp_path: Path, cache: Path) -> None:
    listed = [item("known", file="../../outside"), item("newer", file="x")]
    brought = import_archive(archive_of(tmp_path / "a.zip", listed, **{"../../outside": CONTENT}))
    assert brought.unknown == ("newer",)
    assert (cache / "known.bin").read_bytes() == CONTENT
    assert not list(tmp_path.parent.glob("outside*")) + list(tmp_path.glob("outside*"))


def test_files_that_are_no_archive(tmp_path: Path) -> None:
    torn = archive_of(tmp_path / "torn.zip", [item("known")], f=CONTENT).read_bytes()
    for content in (b"", b"PK", torn[:1000], torn[1000:]):
        (tmp_path / "bad.zip").write_bytes(content)
        with pytest.raises(InputError, match=r"bad\.zip cannot be read"):
            import_archive(tmp_path / "bad.zip")
    for listed in ("{", "{}", '["known"]', "[{}]", json.dumps([item("known", file="absent")])):
        with pytest.raises(InputError, match="cannot be read"):
            import_archive(archive_of(tmp_path / "bad.zip", listed))
    with pytest.raises(InputError, match="cannot be read"):
        import_archive(tmp_path / "nothing.zip")


def zipped(**files: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as target:
        target.mkdir("folder")
        for name, content in files.items():
            target.writestr(name, content)
    return out.getvalue()


def test_a_pack_is_unpacked_once_and_mended(server: Server, cache: Path) -> None:
    server.files["open.bin"] = zipped(**{"a.onnx": CONTENT, "folder/deploy.json": b"{}"})
    with pytest.raises(WeightError, match="phq weights pull open"):
        pack_folder("open")
    pull("open")
    folder = pack_folder("open")
    assert folder == cache.parent / "models" / "open"
    assert sorted(str(p.relative_to(folder)) for p in folder.rglob("*.*")) == ["a.onnx", "folder/deploy.json"]
    network = pack_file("open", ".onnx")
    before = network.stat().st_mtime_ns
    assert pack_file("open", ".onnx").stat().st_mtime_ns == before
    network.write_bytes(CONTENT[:-1] + b"x")
    assert pack_file("open", ".onnx").read_bytes() == CONTENT
    with pytest.raises(WeightError, match=r"0 files that end in \.task"):
        pack_file("open", ".task")


@pytest.mark.parametrize("name", ["../outside", "/outside", "a/../../outside", "..\\outside", "c:outside"])
def test_a_pack_cannot_reach_outside(server: Server, cache: Path, name: str) -> None:
    server.files["open.bin"] = zipped(**{name: b"harm"})
    pull("open")
    with pytest.raises(WeightError, match="outside"):
        pack_folder("open")
    assert not list(cache.parent.rglob("*outside*"))


def test_a_pack_that_is_none(server: Server) -> None:
    pull("open")
    with pytest.raises(WeightError, match="no zip"):
        pack_folder("open")


def run(*arguments: str, code: int = 0) -> str:
    result = CliRunner().invoke(weights_app, arguments, catch_exceptions=True)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == code, result.output
    return result.output


def test_the_commands_from_list_to_import(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    lines = run("list").splitlines()
    assert next(line for line in lines if line.startswith("known ")).split()[1:4] == ["not", "pulled", "0.3"]
    assert any(line.startswith("nanodet") and "embedded" in line for line in lines)
    with pytest.raises(WeightError, match="did you mean known"):
        run("pull", "open", "knwon")
    assert not cache.exists(), "an unknown name stops all"
    said = run("pull", "known", "open")
    assert "known   downloaded, sha256 checked" in said
    assert f"open   downloaded, trusted on first use   {cache / 'open.bin'}" in said
    assert f"pinned {SHA256}" in said
    assert "already here" in run("pull", "known", "--offline")
    assert "known   here" in run("verify")
    run("export", str(tmp_path / "w.zip"), "known")
    elsewhere(tmp_path, monkeypatch)
    assert run("verify", "known", code=1).split()[:3] == ["known", "not", "pulled"]
    assert run("import", str(tmp_path / "w.zip")) == "known   L\n"
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
        assert entry.sha256 is None or (re.fullmatch("[0-9a-f]{64}", entry.sha256) and entry.size)
        assert Path(entry.file).name == entry.file
