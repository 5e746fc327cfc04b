"""One command with a fault at each of its file operations, in few runs.

A command runs once. Before each operation the files are as a kill would leave them; and for each fault that can happen
there, a forked copy of the process goes on with it, after which the files are put back. What was left is then given to
the command again, once for each different state of the files.
"""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import shutil
import signal
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable, Iterable
from contextlib import redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NoReturn

from file_faults import NEEDS_ROOM, READS, Faults, faults

from phq.errors import PhqError

KINDS = ("kill", "enospc", "eio")
DONE, FOUND, REFUSED, KILLED, BARE = "done", "found", "refused", "killed", "bare"
Run = Callable[[Path], object]
Tree = dict[str, str]
_LONGEST_S = 600
"""Of the processor: on a busy machine a course of hundreds of branches may take hours."""


@dataclass(frozen=True)
class Case:
    """A command at a known start.

    Args:
        prepare: makes the start in a folder.
        run: the command there.
        again: the same after an interruption, where it is called differently.
    """

    prepare: Run
    run: Run
    again: Run | None = None


@dataclass(frozen=True)
class Ended:
    """How a process ended."""

    how: str
    message: str = ""
    said: str = ""
    """What it printed."""


SILENT = Ended(BARE, "it ended without a word")


@dataclass(frozen=True)
class Trial:
    """A fault, how the process ended, and the key of the files that it left."""

    kind: str
    number: int
    operation: str
    path: str
    first: Ended
    state: str


@dataclass
class Course:
    """An undisturbed run, with all that can happen in it."""

    ended: Ended
    operations: int = 0
    trials: list[Trial] = field(default_factory=list)


def outcome(run: Run, folder: Path) -> Ended:
    """Run it here."""
    try:
        run(folder)
    except PhqError as error:
        return Ended(REFUSED, str(error))
    except SystemExit as end:
        return Ended({0: DONE, None: DONE, 1: FOUND}.get(end.code, BARE), f"exit code {end.code}")
    except BaseException:  # noqa: BLE001 - reported
        return Ended(BARE, traceback.format_exc())
    return Ended(DONE)


def in_process(work: Callable[[], Any], answer: Path) -> Any:
    """What `work` gives in a forked process; None if that is killed."""
    answer.unlink(missing_ok=True)
    child = os.fork()
    if not child:
        _print_to(answer.with_suffix(".log"))
        _answer(answer, work())
    os.waitpid(child, 0)
    return pickle.loads(answer.read_bytes()) if answer.exists() else None


def _print_to(path: Path) -> None:
    """From here on, in a process that ends itself if it takes too long."""
    signal.setitimer(signal.ITIMER_PROF, _LONGEST_S)
    log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(log, 1), os.dup2(log, 2)


def _answer(path: Path, content: Any) -> NoReturn:
    sys.stdout.flush(), sys.stderr.flush()
    path.write_bytes(pickle.dumps(content))
    os._exit(0)


def run_forked(run: Run, folder: Path) -> Ended:
    """Run it undisturbed in a forked process."""
    return in_process(lambda: outcome(run, folder), folder.parent / "answer") or Ended(KILLED)


def warm(run: Run, folder: Path) -> None:
    """Run it here, so that each process starts with all that it imports."""
    with (folder.parent / "log").open("w") as log, redirect_stdout(log), redirect_stderr(log), suppress(SystemExit):
        run(folder)


def fresh(start: Path, spot: Path) -> Path:
    """A copy of `start` at `spot`, in place of what is there."""
    shutil.rmtree(spot, ignore_errors=True)
    shutil.copytree(start, spot)
    return spot


def contents(folder: Path) -> Tree:
    """Digest of every file, and every folder, by its path, but for times and for files that are called by a time."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if "tfevents" not in name:
            found[name] = "folder" if path.is_dir() else hashlib.sha256(_timeless(path)).hexdigest()
    return found


def _timeless(path: Path) -> bytes:
    content = path.read_bytes()
    with suppress(ValueError):  # a file that is half there
        if path.name == "log.jsonl":
            lines = [json.loads(line) for line in content.splitlines()]
            return json.dumps([{k: v for k, v in line.items() if k != "seconds"} for line in lines]).encode()
        if path.name in ("run.json", "run.json.tmp"):
            run = json.loads(content)
            for record in (run, *run.get("extended", ()), *run.get("sources", ())):
                record["seconds"] = {}
            return json.dumps(run, sort_keys=True).encode()
    return content


class States:
    """Copies of a folder, one of each different content."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def keep(self, spot: Path) -> str:
        """The key of the content at `spot`, of which a copy is kept."""
        key = hashlib.sha256(json.dumps(contents(spot)).encode()).hexdigest()[:20]
        copy = self.folder / key
        if not copy.exists():
            shutil.copytree(spot, copy)
        return key


class Checkpoint:
    """The files of a folder, which can be put back while the process has some of them open."""

    def __init__(self, folder: Path, links: Path) -> None:
        shutil.rmtree(links, ignore_errors=True)
        links.mkdir()
        self._folder, self._links = folder, links
        self._folders = [path for path in sorted(folder.rglob("*")) if path.is_dir()]
        files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
        self._files = {path: path.read_bytes() for path in files}
        for number, path in enumerate(files):
            os.link(path, links / str(number))  # the same file, should the name be taken from it
        self._offsets = {handle: os.lseek(handle, 0, os.SEEK_CUR) for handle, _ in open_below(folder)}

    def restore(self) -> None:
        """Put everything back."""
        self._folder.mkdir(exist_ok=True)
        for path in sorted(self._folder.rglob("*"), reverse=True):
            if path.is_file():
                path.unlink()
            elif path not in self._folders:
                path.rmdir()
        for path in self._folders:
            path.mkdir(exist_ok=True)
        for number, (path, content) in enumerate(self._files.items()):
            os.link(self._links / str(number), path)
            if path.read_bytes() != content:
                path.write_bytes(content)
        for handle, offset in self._offsets.items():
            with suppress(OSError):  # a file that nothing held any more was closed meanwhile
                os.lseek(handle, offset, os.SEEK_SET)


def open_below(folder: Path) -> list[tuple[int, Path]]:
    """Handles of this process that are open on something in a folder."""
    found = []
    for entry in Path("/proc/self/fd").iterdir():
        with suppress(OSError):
            path = entry.readlink()
            if folder in (path, *path.parents):
                found.append((int(entry.name), path))
    return found


class Branching:
    """Runs a command once, and lets a copy of the process go on from each operation with each fault."""

    def __init__(self, run: Run, start: Path, spot: Path, states: States, kinds: Iterable[str], every: int) -> None:
        self._run, self._start, self._spot, self._states = run, start, spot, states
        self._kinds, self._every = tuple(kinds), every
        self._plan = Faults("")
        self._course = Course(Ended(KILLED))
        self._later: list[tuple[str, int, str, str]] = []
        """Faults that need a run of their own: a copy has no threads, and folders that are open cannot be put back."""
        self._branch: Path | None = None
        self._key, self._changed = "", True
        self._scratch = spot.with_name("scratch")
        """Temporary folders: a copy of the process that fails removes those of the command, too."""

    def course(self) -> Course:
        """Run it, and what could not branch off from its start."""
        course: Course = in_process(self._all, self._spot.parent / "answer") or self._course
        return course

    def _all(self) -> Course:
        self._scratch.mkdir(exist_ok=True)
        tempfile.tempdir = str(self._scratch)  # of this process alone
        with faults(fresh(self._start, self._spot), before=self._before) as self._plan:
            ended = outcome(self._run, self._spot)
        if self._branch:
            _answer(self._branch, ended)
        self._course.ended, self._course.operations = ended, len(self._plan.seen)
        saved = fresh(self._spot, self._spot.with_name("whole"))
        for trial in self._later:
            self._from_start(*trial)
        fresh(saved, self._spot)
        return self._course

    def _before(self, number: int, operation: str, path: str) -> None:
        if number % self._every:
            self._changed = True
            return
        for kind in self._kinds:
            if not applies(kind, operation):
                continue
            if kind == "kill":
                self._add(kind, number, operation, path, Ended(KILLED))
            elif threading.active_count() > 1 or any(at.is_dir() for _, at in open_below(self._spot)):
                self._later.append((kind, number, operation, path))
            elif self._go_on(kind, number, operation, path):
                return
        self._changed |= operation not in READS

    def _go_on(self, kind: str, number: int, operation: str, path: str) -> bool:
        """Fork; true in the copy, which meets the fault when this returns."""
        places = {self._spot: "links", self._scratch: "scratch-links"}
        checkpoints = [Checkpoint(folder, self._spot.with_name(links)) for folder, links in places.items()]
        known = self._key, self._changed
        answer = self._spot.with_name("branch")
        answer.unlink(missing_ok=True)
        child = os.fork()
        if not child:
            _print_to(answer.with_suffix(".log"))
            self._plan.kind, self._plan.number, self._plan.before, self._branch = kind, number, None, answer
            return True
        os.waitpid(child, 0)
        first = pickle.loads(answer.read_bytes()) if answer.exists() else SILENT
        self._changed = True
        self._add(kind, number, operation, path, first)
        for checkpoint in checkpoints:
            checkpoint.restore()
        self._key, self._changed = known
        return False

    def _from_start(self, kind: str, number: int, operation: str, path: str) -> None:
        def disturbed() -> Ended:
            with faults(spot, kind, number):
                return outcome(self._run, spot)

        spot = fresh(self._start, self._spot)
        first = in_process(disturbed, spot.with_name("branch")) or SILENT
        self._changed = True
        self._add(kind, number, operation, path, first)

    def _add(self, kind: str, number: int, operation: str, path: str, first: Ended) -> None:
        if self._changed:
            self._key, self._changed = self._states.keep(self._spot), False
        if kind != "kill":
            first = replace(first, said=self._spot.with_name("branch.log").read_text())
        self._course.trials.append(Trial(kind, number, operation, path, first, self._key))


def applies(kind: str, operation: str) -> bool:
    """Whether a fault can happen at an operation."""
    return kind == "eio" or (operation not in READS and (kind == "kill" or operation in NEEDS_ROOM))


def processor_seconds() -> float:
    """Of this process and all that it started."""
    times = os.times()
    return sum(times[:4])
