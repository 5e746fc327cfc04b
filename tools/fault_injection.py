"""Every command ended, and its disk made to fail, at each of its file operations; then run again.

    python tools/fault_injection.py WORK [--commands build,redact] [--faults kill,enospc,eio] [--every N]

Each command runs once undisturbed, which gives its operations (`tests/file_faults.py`) and the files that it ends in.
Then for each operation it runs again from the same start: it is killed before the operation (``kill``), the operation
fails once (``eio``), or all fail from then on that need room (``enospc``); and afterwards the same command runs
undisturbed. Every fault must end in the files of the undisturbed run (times in ``run.json`` apart), or in a refusal
that leaves those files or names what to do. A failing disk must be one sentence (a `PhqError`) that names a file.

Prints a table, and every failure; exits 1 if there is one. Builds use the stand-in pipeline of the tests. WORK is best
on a disk in memory, such as a folder of /dev/shm.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import pickle
import shutil
import sys
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass, field
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(REPOSITORY / folder) for folder in ("", "tests", "tests/generator", "tests/weights", "tests/view")]

from phq.system.threads import ONE_THREAD  # noqa: E402

os.environ.update(ONE_THREAD)

import networkless_pipeline  # noqa: E402
from file_faults import NEEDS_ROOM, READS, Faults, faults  # noqa: E402
from pytest import MonkeyPatch  # noqa: E402
from typer.main import get_command  # noqa: E402

from phq.cli import app  # noqa: E402
from phq.errors import PhqError  # noqa: E402
from phq.schema import SCHEMA_VERSION  # noqa: E402

COMMAND = get_command(app)
KINDS = ("kill", "enospc", "eio")
DONE, FOUND, REFUSED, KILLED, BARE = "done", "found", "refused", "killed", "bare"
ADVICE = ("choose", "remove", "run ", "the same command", "again", "finish", "continue", "resume", "redact")
"""A refusal that leaves a command unfinished has one of these."""


@dataclass(frozen=True)
class Case:
    """A command at a known start.

    Args:
        prepare: makes the start in a folder.
        run: the command there.
        again: the same after an interruption, where it is called differently.
    """

    prepare: Callable[[Path], object]
    run: Callable[[Path], object]
    again: Callable[[Path], object] | None = None


@dataclass
class Ended:
    """How a process ended."""

    how: str
    message: str = ""
    seen: list[tuple[str, str]] = field(default_factory=list)


@dataclass
class Tally:
    """Counts of one command, and what was wrong."""

    counts: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    refusals: Counter[str] = field(default_factory=Counter)


def phq_command(*arguments: object) -> Callable[[Path], None]:
    """A command line; words that begin with ``@`` are paths in the folder."""

    def run(folder: Path) -> None:
        words = [str(folder / word[1:]) if word.startswith("@") else word for word in map(str, arguments)]
        sys.argv = ["phq", *words]
        COMMAND(words)

    return run


def in_process(work: Callable[[Path], object], folder: Path, kind: str, number: int) -> Ended:
    """Run it in a forked process with a fault."""
    (folder.parent / "answer").unlink(missing_ok=True)
    child = os.fork()
    if not child:
        _child(work, folder, kind, number)
    status = os.waitpid(child, 0)[1]
    if os.WIFSIGNALED(status):
        return Ended(KILLED)
    answer = folder.parent / "answer"
    return pickle.loads(answer.read_bytes()) if answer.exists() else Ended(BARE, "the process ended without a word")


def _child(work: Callable[[Path], object], folder: Path, kind: str, number: int) -> None:
    log = os.open(folder.parent / "log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(log, 1), os.dup2(log, 2)
    seen = Faults("")
    try:
        with faults(folder, kind, number) as seen:
            ended = _outcome(work, folder)
    except BaseException:  # noqa: BLE001 - reported
        ended = Ended(BARE, traceback.format_exc())
    ended.seen = seen.seen
    (folder.parent / "answer").write_bytes(pickle.dumps(ended))
    os._exit(0)


def _outcome(work: Callable[[Path], object], folder: Path) -> Ended:
    try:
        work(folder)
    except PhqError as error:
        return Ended(REFUSED, str(error))
    except SystemExit as end:
        return Ended({0: DONE, None: DONE, 1: FOUND}.get(end.code, BARE), f"exit code {end.code}")
    except BaseException:  # noqa: BLE001 - reported
        return Ended(BARE, traceback.format_exc())
    return Ended(DONE)


def contents(folder: Path) -> dict[str, str]:
    """Digest of every file, and every folder, by its path."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        found[name] = "folder" if path.is_dir() else hashlib.sha256(_timeless(path)).hexdigest()
    return found


def _timeless(path: Path) -> bytes:
    content = path.read_bytes()
    if path.name == "log.jsonl":
        lines = [json.loads(line) for line in content.splitlines()]
        return json.dumps(
            [{name: value for name, value in line.items() if name != "seconds"} for line in lines]
        ).encode()
    if "tfevents" in path.name:
        return b""
    if path.name != "run.json":
        return content
    run = json.loads(content)
    for record in (run, *run.get("extended", ()), *run.get("sources", ())):
        record["seconds"] = {}
    return json.dumps(run, sort_keys=True).encode()


def without_times(tree: dict[str, str]) -> dict[str, str]:
    """Without files that are called by a time."""
    return {name: digest for name, digest in tree.items() if "tfevents" not in name}


def try_case(name: str, case: Case, work: Path, kinds: list[str], every: int) -> Tally:
    """All faults of one command."""
    tally, start, spot = Tally(), work / "start", work / "try" / "at"
    shutil.rmtree(work, ignore_errors=True)
    spot.parent.mkdir(parents=True)
    start.mkdir()
    made = in_process(lambda _: case.prepare(spot), _fresh(start, spot), "none", -1)
    if made.how != DONE:
        return Tally(wrong=[f"{name}: its start cannot be made: {made.message}"])
    spot.rename(start.with_name("made"))
    start = start.with_name("made")
    _warm(case, _fresh(start, spot))
    whole = in_process(case.run, _fresh(start, spot), "none", -1)
    if whole.how not in (DONE, FOUND):
        return Tally(wrong=[f"{name}: it does not run undisturbed: {whole.message}"])
    target = without_times(contents(spot))
    tally.counts["operations"] = len(whole.seen)
    for kind in kinds:
        for number, (operation, path) in enumerate(whole.seen):
            if number % every == (len(whole.seen) - 1 + kinds.index(kind)) % every and _applies(kind, operation):
                where = f"{name}: {kind} at {number} ({operation} {path})"
                _try_one(case, _fresh(start, spot), kind, number, target, tally, where)
    return tally


def _warm(case: Case, spot: Path) -> None:
    """Run it here, so that each process starts with all that it imports."""
    with (spot.parent / "log").open("w") as log, redirect_stdout(log), redirect_stderr(log), suppress(SystemExit):
        case.run(spot)


def _settled(tree: dict[str, str]) -> dict[str, str]:
    """Without work folders, which the next call removes where a disk would not let them go."""
    return {name: digest for name, digest in without_times(tree).items() if "/.phq-" not in f"/{name}"}


def _applies(kind: str, operation: str) -> bool:
    return kind == "eio" or (operation not in READS and (kind == "kill" or operation in NEEDS_ROOM))


def _fresh(start: Path, spot: Path) -> Path:
    shutil.rmtree(spot, ignore_errors=True)
    shutil.copytree(start, spot, symlinks=True, copy_function=shutil.copy2)
    return spot


def _try_one(case: Case, spot: Path, kind: str, number: int, target: dict[str, str], tally: Tally, where: str) -> None:
    first = in_process(case.run, spot, kind, number)
    tally.counts[kind] += 1
    if first.how == BARE:
        tally.wrong.append(f"{where}: not a sentence:\n{first.message}")
    if first.how == REFUSED:
        tally.counts["sentences"] += 1
        tally.refusals[f"  {kind}: {_general(first.message, spot)}"] += 1
        if not _names_file(first.message, spot):
            tally.wrong.append(f"{where}: the sentence names no file: {first.message}")
    if first.how == DONE and _settled(contents(spot)) != _settled(target):
        tally.wrong.append(
            f"{where}: it says that it is done, but {_differences(target, without_times(contents(spot)))}"
        )
    second = in_process(case.again or case.run, spot, "none", -1)
    there = without_times(contents(spot))
    if second.how == BARE:
        tally.wrong.append(f"{where}: the next run fails:\n{second.message}")
    elif there == target:
        tally.counts["refused, whole" if second.how == REFUSED else "identical"] += 1
    elif second.how == REFUSED and any(word in second.message for word in ADVICE):
        tally.counts["refused, with advice"] += 1
        tally.refusals[f"  {kind}, next run: {_general(second.message, spot)} [{_differences(target, there)}]"] += 1
    else:
        tally.wrong.append(f"{where}: then {second.how} {second.message}: {_differences(target, there)}")


def _names_file(message: str, spot: Path) -> bool:
    return str(spot) in message or any(path.name in message for path in spot.rglob("*"))


def _general(message: str, spot: Path) -> str:
    return message.replace(str(spot), "").replace("\n", " ")[:240]


def _differences(target: dict[str, str], there: dict[str, str]) -> str:
    names = sorted(name for name in target.keys() | there.keys() if target.get(name) != there.get(name))
    kinds = [f"{'lacks' if n not in there else 'also' if n not in target else 'other'} {n}" for n in names]
    return ", ".join(kinds[:6]) + (f" and {len(kinds) - 6} more" if len(kinds) > 6 else "")


BUILD = ("build", "@in", "@set", "--executor", "inline", "--size", networkless_pipeline.SIDE)


REJECTS = ("--keep-rejects", "--preset", "everything", "--set", "blur.min=0.5")


def _photos(folder: Path, count: int = 5, first: int = 1) -> None:
    networkless_pipeline.photos(folder / "in", networkless_pipeline.names(count, first), people=1)
    for path in (folder / "in").iterdir():
        os.utime(path, (1, 1))


def _built(*options: str) -> Callable[[Path], None]:
    def prepare(folder: Path) -> None:
        _photos(folder)
        _quietly(phq_command(*BUILD, *options), folder)
        _photos(folder, 3, 7)

    return prepare


def _unfinished(folder: Path) -> None:
    """A build of which one unit is done, and more photos."""
    _photos(folder)
    from phq.building import running

    run_plan = running.run_plan

    def first_unit(carry, plan, execution, quiet, wants=None):  # type: ignore[no-untyped-def]
        carry.run(carry.setup(), running.Task(0, plan.units[0]), lambda _: None)
        raise KeyboardInterrupt

    from phq.building import build

    build.run_plan = first_unit
    with suppress(KeyboardInterrupt, SystemExit):
        phq_command(*BUILD)(folder)
    build.run_plan = run_plan
    _photos(folder, 3, 7)


def _quietly(run: Callable[[Path], object], folder: Path) -> None:
    try:
        run(folder)
    except SystemExit as end:
        if end.code:
            raise


def _people(count: int = 6, *options: object, name: str = "@set", seed: int = 0) -> Callable[[Path], None]:
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
    phq_command("redact", "@set", *(folder / "keys").read_text().split())(folder)


def _to_redact(folder: Path) -> None:
    keys = _keys(folder)
    (folder / "keys").write_text(f"{keys[1]} {keys[3]}")
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
    (dataset / "train" / "index.json").unlink()
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
    "build --extend": Case(_built(), phq_command(*BUILD, "--extend")),
    "build --keep-rejects --extend": Case(_built(*REJECTS), phq_command(*BUILD, *REJECTS, "--extend")),
    "build --extend (unfinished)": Case(_unfinished, phq_command(*BUILD, "--extend")),
    "annotate": Case(
        _people(), phq_command("annotate", "@set", "--name", "again", "--groups", "camera,decisions", "--executor",
                               "inline", "--pictures", "@again.png"),
    ),
    "decide": Case(_people(), phq_command("decide", "@set", "--set", "blur.min=0.5", "--apply", "--name", "strict")),
    "review": Case(_both(_people(), _marked), _fold),
    "report": Case(_people(4), phq_command("report", "@set", "--out", "@report.html")),
    "bake": Case(_people(6, "--pose-noise", 5), phq_command("bake", "@set", "@new")),
    "merge": Case(_both(_people(), _people(4, name="@other", seed=1)), phq_command("merge", "@set", "@other", "@new")),
    "split": Case(_people(), phq_command("split", "@set", "--name", "other", "--by", "source", "--val", 0.5)),
    "balance": Case(_people(), phq_command("balance", "@set", "--name", "even", "--target", "uniform-yaw")),
    "redact": Case(_both(_people(8), _to_redact), _redact),
    "verify --repair": Case(_both(_people(), _damaged), phq_command("verify", "@set", "--repair", "--workers", 1)),
    "import": Case(_both(_people(), _labels("panohead", "@set.zip")), phq_command(*IMPORT)),
    "export labels 3dportraitgan": Case(_people(4), _labels("3dportraitgan", "@out.zip")),
    "export labels eg3d": Case(_people(4), _labels("eg3d", "@out", "--no-masks")),
    "export labels panohead": Case(_people(4), _labels("panohead", "@out")),
    "export labels spherehead": Case(_people(4), _labels("spherehead", "@out.zip")),
    "export coco": Case(_people(4), phq_command("export", "coco", "@set", "--out", "@out")),
    "synth": Case(_nothing, _people(6, "--pose-noise", 5)),
    "gan train": Case(_portraits, _train(), _train_again),
    "weights pull": Case(_nothing, _pulled),
}  # fmt: skip


@contextmanager
def stand_ins() -> Iterator[None]:
    """Builds without networks."""
    with ExitStack() as stack:
        networkless_pipeline.use_networkless_pipeline(stack.enter_context(MonkeyPatch.context()))
        yield


def main() -> None:
    """Try every command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path, help="folder for the trials")
    parser.add_argument("--commands", default=",".join(CASES), help="names")
    parser.add_argument("--faults", default=",".join(KINDS), help="kinds of faults")
    parser.add_argument("--every", type=int, default=1, help="only every N-th operation")
    parser.add_argument("--say", action="store_true", help="print the sentences of refusals too")
    given = parser.parse_args()
    names = given.commands.split(",")
    failed = 0
    print("| command | operations | killed | disk full | faulty | sentences | identical | refused, whole | refused, "
          "with advice | wrong |\n|---|---|---|---|---|---|---|---|---|---|", flush=True)  # fmt: skip
    for name in names:
        with stand_ins():
            tally = try_case(name, CASES[name], given.work / "trial", given.faults.split(","), given.every)
        keys = ("operations", *KINDS, "sentences", "identical", "refused, whole", "refused, with advice")
        print(f"| {name} | {' | '.join(str(tally.counts[key]) for key in keys)} | {len(tally.wrong)} |", flush=True)
        for sentence, count in tally.refusals.items() if given.say else ():
            print(f"  {count} × {sentence}")
        for fault in tally.wrong:
            print(fault, file=sys.stderr, flush=True)
        failed += len(tally.wrong)
    shutil.rmtree(given.work / "trial", ignore_errors=True)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
