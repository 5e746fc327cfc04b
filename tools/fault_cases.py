"""The commands that `fault_injection.py` tries, each at a small start of its own.

Builds use the stand-in pipeline of the tests.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import networkless_pipeline
import pyarrow as pa
import pyarrow.parquet as pq
from fault_trials import Case
from pytest import MonkeyPatch
from typer.main import get_command
from video_files import corners, write_video

from phq.cli import app
from phq.dataset.folder import index_name
from phq.schema import SCHEMA_VERSION

COMMAND = get_command(app)
BUILD = (
    "build", "@in", "@set", "--executor", "inline", "--preset", "everything", "--size", networkless_pipeline.SIDE
)  # fmt: skip
REJECTS = ("--keep-rejects", "--set", "blur.min=0.5")


def phq_command(*arguments: object) -> Callable[[Path], None]:
    """A command line; words that begin with ``@`` are paths in the folder."""

    def run(folder: Path) -> None:
        words = [str(folder / word[1:]) if word.startswith("@") else word for word in map(str, arguments)]
        sys.argv = ["phq", *words]
        COMMAND(words)

    return run


def _photos(folder: Path, count: int = 3, first: int = 1) -> None:
    networkless_pipeline.photos(folder / "in", networkless_pipeline.names(count, first), people=1)
    for path in (folder / "in").iterdir():
        os.utime(path, (1, 1))


def _table(folder: Path) -> None:
    """Three rows, as Hugging Face writes pictures."""
    folder.mkdir(exist_ok=True)
    rows = [{"image": {"bytes": bytes([n]) * 40, "path": f"{n}.jpg"}} for n in range(3)]
    pq.write_table(pa.Table.from_pylist(rows), folder / "in.parquet", row_group_size=2)


def _video(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    write_video(folder / "in.mp4", [corners(64, 64, level) for level in (0, 90, 180)], rate=1)


def _built(*options: str) -> Callable[[Path], None]:
    def prepare(folder: Path) -> None:
        _photos(folder)
        _quietly(phq_command(*BUILD, *options), folder)
        _photos(folder, 2, 7)

    return prepare


def _unfinished(folder: Path) -> None:
    """A build of which one unit is done, and more photos."""
    _photos(folder)
    from phq.building import running

    run_plan = running.run_plan

    def first_unit(carry, plan, *_):  # type: ignore[no-untyped-def]
        carry.run(carry.setup(), running.Task(0, plan.units[0]), lambda _: None)
        raise KeyboardInterrupt

    from phq.building import build

    build.run_plan = first_unit
    with suppress(KeyboardInterrupt, SystemExit):
        phq_command(*BUILD)(folder)
    build.run_plan = run_plan
    _photos(folder, 2, 7)


def _quietly(run: Callable[[Path], object], folder: Path) -> None:
    try:
        run(folder)
    except SystemExit as end:
        if end.code:
            raise


def _people(count: int = 3, *options: object, name: str = "@set", seed: int = 0) -> Callable[[Path], None]:
    words = ("synth", name, "--count", count, "--size", 64, "--executor", "inline", "--val", 0.3, "--seed", seed)

    def prepare(folder: Path) -> None:
        _quietly(phq_command(*words, *options), folder)

    return prepare


def _both(*steps: Callable[[Path], object]) -> Callable[[Path], None]:
    def prepare(folder: Path) -> None:
        for step in steps:
            _quietly(step, folder)

    return prepare


def _keys(folder: Path) -> list[str]:
    from phq import Dataset

    return Dataset(folder / "set").keys


def _redact(folder: Path) -> None:
    phq_command("redact", "@set", *(folder.parent / "keys").read_text().split())(folder)


def _to_redact(folder: Path) -> None:
    keys = _keys(folder)
    (folder.parent / "keys").write_text(f"{keys[1]} {keys[3]}")
    _marked(folder)


def _marked(folder: Path) -> None:
    """Marks of a reviewer that no overlay has."""
    from phq.dataset.marks_log import open_log

    with open_log(folder / "set", lambda: "2026-01-02T03:04:05.000+00:00") as log:
        keys = _keys(folder)
        log.mark("ann", "reject", "review_blur", keys[:2])
        log.mark("ann", "keep", "", keys[2:4])


def _fold(folder: Path) -> None:
    from phq.dataset.marks_log import open_log
    from phq.view.review.overlay import fold

    with open_log(folder / "set") as log:
        fold(folder / "set", log.marks)


def _damaged(folder: Path) -> None:
    """Faults of several kinds that ``verify --repair`` mends."""
    dataset = folder / "set"
    (dataset / index_name("train")).unlink()
    (dataset / "schema.json").write_text(f'{{"{SCHEMA_VERSION}": 1}}')
    (dataset / "manifest.parquet.tmp").write_bytes(b"half")
    run = json.loads((dataset / "run.json").read_bytes())
    run["counts"]["kept"] += 1
    (dataset / "run.json").write_text(json.dumps(run))
    (dataset / "manifest.parquet").unlink()
    shard = next(iter(sorted((dataset / "train").glob("*.tar"))))
    shard.write_bytes(shard.read_bytes()[:-1024])


def _portraits(folder: Path) -> None:
    from training_dataset import write_portraits

    write_portraits(folder / "set", 4)


def _train(*options: str) -> Callable[[Path], None]:
    from training_dataset import SETS

    words = ["gan", "train", "@set", "--out", "@run", "--device", "cpu", *options]
    return phq_command(*words, *(word for setting in SETS for word in ("--set", setting)), "--kimg", "0.012",
                       "--set", "training.checkpoint_kimg=0.004", "--set", "training.keep=2")  # fmt: skip


def _train_again(folder: Path) -> None:
    _train("--resume")(folder)


def _pulled(folder: Path) -> None:
    from unreliable_server import misbehaving
    from weights_catalogue import serve

    from phq.weights import catalogue

    with misbehaving() as server, MonkeyPatch.context() as patch:
        file = folder.parent / "remote.json"
        serve(server, file, thing=bytes(range(256)) * 400)
        patch.setattr(catalogue, "FILE", file)
        patch.setenv("PHQ_CACHE", str(folder / "cache"))
        phq_command("weights", "pull", "thing")(folder)


def _labels(format: str, out: str, *options: str) -> Callable[[Path], None]:
    return phq_command("export", "labels", "@set", "--out", out, "--format", format, *options)


def _nothing(folder: Path) -> None:
    folder.mkdir(exist_ok=True)


IMPORT = ("import", "@set.zip", "@new", "--format", "panohead", "--masks", "@set-mask.zip", "--executor", "inline")
CASES: dict[str, Case] = {
    "build": Case(_photos, phq_command(*BUILD)),
    "build --keep-rejects": Case(_photos, phq_command(*BUILD, *REJECTS)),
    "build (table)": Case(_table, phq_command("build", "@in.parquet", *BUILD[2:])),
    "build (video)": Case(_video, phq_command("build", "@in.mp4", *BUILD[2:])),
    "build --extend": Case(_built(), phq_command(*BUILD, "--extend")),
    "build --keep-rejects --extend": Case(_built(*REJECTS), phq_command(*BUILD, *REJECTS, "--extend")),
    "build --extend (unfinished)": Case(_unfinished, phq_command(*BUILD, "--extend")),
    "annotate": Case(
        _people(), phq_command("annotate", "@set", "--name", "again", "--groups", "camera,decisions", "--executor",
                               "inline", "--pictures", "@again.png"),
    ),
    "decide": Case(_people(2), phq_command("decide", "@set", "--set", "blur.min=0.5", "--apply", "--name", "strict")),
    "review": Case(_both(_people(), _marked), _fold),
    "report": Case(_people(2), phq_command("report", "@set", "--out", "@report.html")),
    "bake": Case(_people(3, "--pose-noise", 5), phq_command("bake", "@set", "@new")),
    "merge": Case(_both(_people(), _people(2, name="@other", seed=1)), phq_command("merge", "@set", "@other", "@new")),
    "split": Case(_people(), phq_command("split", "@set", "--name", "other", "--by", "source", "--val", 0.5)),
    "balance": Case(_people(), phq_command("balance", "@set", "--name", "even", "--target", "uniform-yaw")),
    "redact": Case(_both(_people(4), _to_redact), _redact),
    "verify --repair": Case(_both(_people(), _damaged), phq_command("verify", "@set", "--repair", "--workers", 1)),
    "import": Case(_both(_people(), _labels("panohead", "@set.zip")), phq_command(*IMPORT)),
    "export labels 3dportraitgan": Case(_people(2), _labels("3dportraitgan", "@out.zip")),
    "export labels eg3d": Case(_people(2), _labels("eg3d", "@out", "--no-masks")),
    "export labels panohead": Case(_people(2), _labels("panohead", "@out")),
    "export labels spherehead": Case(_people(2), _labels("spherehead", "@out.zip")),
    "export coco": Case(_people(2), phq_command("export", "coco", "@set", "--out", "@out")),
    "synth": Case(_nothing, _people(2, "--pose-noise", 5)),
    "gan train": Case(_portraits, _train(), _train_again),
    "weights pull": Case(_nothing, _pulled),
}  # fmt: skip


@contextmanager
def stand_ins() -> Iterator[None]:
    """Builds without networks."""
    with ExitStack() as stack:
        networkless_pipeline.use_networkless_pipeline(stack.enter_context(MonkeyPatch.context()))
        yield
