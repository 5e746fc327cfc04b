"""A refused command leaves nothing behind: no folder, no half of a file, no lock."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from curated_datasets import person, write
from encoded_pictures import encoded, small_picture
from typer.testing import CliRunner

from phq.cli import COMMANDS, app
from phq.errors import PhqError

NEW = "deep/er/new"
REFUSED = {
    "build": [
        "build absent {new}", "build empty {new}", "build photos {new} --set blur.min=sharp",
        "build photos {new} --set models.detector=rtmdet:absent.onnx", "build photos {new} --sidecar absent.csv",
        "build photos {new} --sidecar photos/a.jpg", "build photos {new} --preset best",
        "build photos {new} --extend "
        "--set size=8", "build photos {new} --config absent.toml", "build photos {new} --executor ray --address no:1",
        "build list.txt {new}", "build photos {new} --json photos/a.jpg", "build photos {new} --device cuda:99",
        "build photos {new} --set models.identity=absent", "build photos {new} --workers 0",
        "build photos {new} --set models.detector=rfdetr", "build 'photos/*.png' {new}", "build photos set",
        "build photos {new} --log-json empty",
    ],
    "import": [
        "import absent {new} --format eg3d", "import empty {new} --format panohead",
        "import photos {new} --format eg3d",
        "import photos {new} --format eg3d --masks absent", "import photos {new} --format eg3d --sidecar absent",
    ],
    "synth": ["synth {new} --count 0", "synth {new} --count 2 --size 8", "synth set --count 2",
              "synth {new} --count 2 --json photos/a.jpg"],
    "report": ["report absent", "report set --revision absent", "report set --json photos/a.jpg"],
    "stats": ["stats absent", "stats set --revision absent"],
    "show": ["show absent --out {new}/a.png", "show set --out {new}/a.png --where 'nothing'",
             "show set --out {new}/a.png --revision absent"],
    "review": ["review absent", "review set --revision absent"],
    "decide": ["decide absent", "decide set --set blurr.min=1 --apply", "decide set --set blur.min=word --apply"],
    "calibrate": ["calibrate absent", "calibrate set --out {new}/a.toml", "calibrate set"],
    "evaluate pose": ["evaluate pose absent --truth absent", "evaluate pose set --truth absent"],
    "annotate": [
        "annotate absent --name a", "annotate set --name a --groups absent", "annotate set --name 'a/b'",
        "annotate set --name a --photos absent", "annotate set --name a --body absent.npz",
        "annotate set --name a --set size=8", "annotate set --name a --where nothing", "annotate set --name none",
        "annotate set --name a --body photos/a.jpg", "annotate set --name a --set models.face=absent",
    ],
    "diff": ["diff set none absent", "diff absent none latest", "diff set none absent --out {new}/a.html"],
    "bake": ["bake absent {new}", "bake set {new} --revision absent", "bake set set", "bake set set/in"],
    "verify": ["verify absent", "verify empty"],
    "redact": ["redact set", "redact set 0000000000000000", "redact absent a", "redact set --source absent",
               "redact set --like absent", "redact set --like list.txt --yes", "redact set a --person 1",
               "redact set a --like photos/a.jpg"],
    "merge": ["merge set {new}", "merge set absent {new}", "merge set set {new} --revision absent",
              "merge set photos {new}", "merge set set set"],
    "split": ["split absent --name a", "split set --name 'a/b'", "split set --name a --by absent",
              "split set --name a --val 2"],
    "balance": ["balance absent --name a", "balance set --name a --like absent", "balance set --name 'a/b'"],
    "export labels": [
        "export labels absent {new} --format eg3d", "export labels set {new} --format eg3d --revision absent",
        "export labels set {new}.zip --format absent", "export labels set {new} --format panohead --size 3",
        "export labels set photos --format eg3d", "export labels set {new}.zip --format eg3d --where nothing",
    ],
    "export coco": ["export coco absent {new}", "export coco set {new} --revision absent", "export coco set photos",
                    "export coco set {new} --photos absent", "export coco set {new} --where nothing"],
    "export crops": ["export crops absent --out {new}.jsonl --for whenet",
                     "export crops set --out {new}.jsonl --for absent",
                     "export crops set --out photos/a.jpg --for whenet"],
    "publish": ["publish absent --to {new} --apply", "publish empty --to {new} --apply",
                "publish set --to photos --apply", "publish set --to set/in --apply", "publish set --to hf:me --apply",
                "publish set --to s3://a/b --apply", "publish set --to {new} --accept consent --apply",
                "publish set --to list.txt --apply", "publish set --to {new} --private --apply"],
    "gan train": [
        "gan train absent --out {new}", "gan train set --out {new} --preset best",
        "gan train set --out {new} --set training.batch=0", "gan train set --out {new} --set nonsense=1",
        "gan train set --out {new} --set training.batch=64", "gan train set --out {new} --device cuda:99",
        "gan train set --out {new} --set training.part=16 --set training.batch=4",
        "gan train set --out {new} --device me",
        "gan train set --out {new} --set training.balance=absent", "gan train set --out {new} --set training.split=no",
        "gan train set --out {new} --revision absent", "gan train set --out {new} --set model.resolution=48",
        "gan train set set --out {new} --set training.shares=1", "gan train set --out photos",
        "gan train set --out {new} --set training.split=val --set training.batch=8",
    ],
    "gan sample": ["gan sample absent --out {new}", "gan sample set --out {new}",
                   "gan sample absent --out {new} --seeds a"],
    "gan orbit": ["gan orbit absent --out {new}.mp4", "gan orbit absent --out {new}.mp4 --pose a"],
    "gan mesh": ["gan mesh absent --out {new}.glb", "gan mesh absent --out {new}.txt"],
    "gan invert": ["gan invert absent photos/a.jpg --out {new}", "gan invert absent --out {new}"],
    "gan morph": ["gan morph absent --out {new}.mp4", "gan morph absent --out {new}.txt"],
    "gan act": ["gan act absent --out {new}.mp4", "gan act absent --out {new}.mp4 --poses wave"],
    "gan sweep": ["gan sweep absent --out {new}.png", "gan sweep absent --out {new}.png --truncations a"],
    "gan mix": ["gan mix absent --out {new}.png", "gan mix absent --out {new}.png --layers a"],
    "gan import-checkpoint": ["gan import-checkpoint absent.pkl {new}", "gan import-checkpoint photos/a.jpg {new}"],
    "gan export": ["gan export absent --out {new}", "gan export set --out {new}"],
    "gan view": ["gan view absent"],
    "gan evaluate": ["gan evaluate absent --data set --out {new}.json", "gan evaluate set --data set"],
    "gan poses": ["gan poses absent --data set --out {new}.jsonl", "gan poses set --data set --out {new}.jsonl",
                  "gan poses set --data absent --out {new}.jsonl", "gan poses set --data set --out {new}.txt"],
    "weights pull": ["weights pull absent --offline"],
    "weights verify": [],
    "weights list": [],
    "weights licences": [],
    "backends list": [],
    "settings": ["settings absent", "settings --set blurr.min=1", "settings --preset absent"],
    "gan settings": ["gan settings absent", "gan settings --config absent"],
    "backends check": ["backends check detector absent"],
}  # fmt: skip
"""By command: lines that are refused. ``{new}`` is in folders that do not exist either."""
LINES = [line for lines in REFUSED.values() for line in lines]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("refused")
    write(folder / "set", [person(n) for n in range(4)])
    for name in ("photos", "empty"):
        (folder / name).mkdir()
    (folder / "photos" / "a.jpg").write_bytes(encoded(small_picture(), "JPEG"))
    (folder / "list.txt").write_text("# nothing\n", encoding="utf-8")
    return folder


def everything(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
        for path in sorted(folder.rglob("*"))
    }


def test_every_command_has_its_refusals():
    assert REFUSED.keys() == {name for commands in COMMANDS.values() for name in commands}


@pytest.mark.parametrize("line", LINES)
def test_a_refused_command_leaves_nothing(line: str, place: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(place)
    monkeypatch.setenv("PHQ_CACHE", str(place / "empty"))
    monkeypatch.setenv("PHQ_OFFLINE", "1")
    before = everything(place)
    done = CliRunner().invoke(app, line.format(new=NEW))
    assert done.exit_code == 2 or isinstance(done.exception, PhqError), (done.exception, done.output)
    assert everything(place) == before
