"""Every command ended, and its disk made to fail, at each of its file operations; then run again.

    python tools/fault_injection.py WORK [--commands build,redact] [--faults kill,enospc,eio] [--every N]

Each command runs once, which gives its operations (`tests/file_faults.py`) and the files that it ends in. At each
operation it is killed (``kill``), the operation fails once (``eio``), or all fail from then on that need room
(``enospc``); afterwards the same command runs undisturbed (`tools/fault_trials.py`). Every fault must end in the files
of the undisturbed run (times in ``run.json`` apart), or in a refusal that leaves those files or names what to do. A
failing disk must be one sentence (a `PhqError`) that names a file.

Prints a table, and every failure; exits 1 if there is one. WORK is best on a disk in memory, such as a folder of
/dev/shm.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow.parquet as pq

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(REPOSITORY / folder) for folder in ("", "tests", "tests/generator", "tests/weights", "tests/view")]

from phq.system.threads import ONE_THREAD  # noqa: E402

os.environ.update(ONE_THREAD)

from fault_cases import CASES, stand_ins  # noqa: E402
from fault_trials import (  # noqa: E402
    BARE,
    DONE,
    FOUND,
    KINDS,
    REFUSED,
    Branching,
    Case,
    Ended,
    States,
    Tree,
    Trial,
    contents,
    fresh,
    processor_seconds,
    run_forked,
    warm,
)

ADVICE = ("choose", "remove", "run ", "the same command", "again", "finish", "continue", "resume", "redact")
"""A refusal that leaves a command unfinished has one of these."""
LEFT_OUT = "cannot be read and are left out"
COUNTS = ("operations", *KINDS, "sentences", "states", "identical", "refused, whole", "refused, with advice",
          "without what is unreadable")  # fmt: skip


@dataclass
class Tally:
    """Counts of one command, what was wrong, and the sentences of its refusals."""

    counts: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    refusals: Counter[str] = field(default_factory=Counter)


class Command:
    """One command, tried with all faults."""

    def __init__(self, name: str, case: Case, work: Path) -> None:
        shutil.rmtree(work, ignore_errors=True)
        self._name, self._case = name, case
        self._start, self._spot = work / "start", work / "try" / "at"
        self._states = States(work / "states")
        for folder in (self._spot, self._states.folder):
            folder.mkdir(parents=True)
        self._target: Tree = {}
        self._seconds: dict[str, tuple[Ended, Tree]] = {}
        self.tally = Tally()

    def try_all(self, kinds: list[str], every: int) -> None:
        """Fill in the tally."""
        made = run_forked(self._case.prepare, self._spot)
        if made.how != DONE:
            self.tally.wrong.append(f"{self._name}: its start cannot be made: {made.message}")
            return
        self._spot.rename(self._start)
        warm(self._case.run, fresh(self._start, self._spot.with_name("warm")))
        course = Branching(self._case.run, self._start, self._spot, self._states, kinds, every).course()
        self.tally.counts["operations"] = course.operations
        if course.ended.how not in (DONE, FOUND):
            self.tally.wrong.append(f"{self._name}: it does not run undisturbed: {course.ended.message}")
            return
        self._target = contents(self._spot)
        for trial in course.trials:
            self._judge(trial)
        self.tally.counts["states"] = len(self._seconds)

    def _second(self, state: str) -> tuple[Ended, Tree]:
        """How the command ends at a state, and what is there then."""
        if state not in self._seconds:
            fresh(self._states.folder / state, self._spot)
            ended = run_forked(self._case.again or self._case.run, self._spot)
            self._seconds[state] = ended, contents(self._spot)
        return self._seconds[state]

    def _judge(self, trial: Trial) -> None:
        where = f"{self._name}: {trial.kind} at {trial.number} ({trial.operation} {trial.path})"
        self.tally.counts[trial.kind] += 1
        if self._judge_first(trial, where):
            return
        second, there = self._second(trial.state)
        differences = _differences(self._target, there)
        if second.how == BARE:
            self.tally.wrong.append(f"{where}: the next run fails:\n{second.message}")
        elif not differences:
            self.tally.counts["refused, whole" if second.how == REFUSED else "identical"] += 1
        elif second.how == REFUSED and any(word in second.message for word in ADVICE):
            self.tally.counts["refused, with advice"] += 1
            self._note(f"{trial.kind}, next run: {second.message} [{differences}]")
        else:
            self.tally.wrong.append(f"{where}: then {second.how} {second.message}: {differences}")

    def _judge_first(self, trial: Trial, where: str) -> bool:
        """True if the command has said what it left out, and is done."""
        message, left = trial.first.message, contents(self._states.folder / trial.state)
        if trial.first.how == BARE:
            self.tally.wrong.append(f"{where}: not a sentence:\n{message}")
        elif trial.first.how == REFUSED:
            self.tally.counts["sentences"] += 1
            self._note(f"{trial.kind}: {message}")
            if str(self._spot) not in message and not any(Path(name).name in message for name in left):
                self.tally.wrong.append(f"{where}: the sentence names no file: {message}")
        elif trial.first.how == DONE and trial.kind == "eio" and self._left_out(trial):
            self.tally.counts["without what is unreadable"] += 1
            return True
        elif trial.first.how == DONE and (lies := _differences(_settled(self._target), _settled(left))):
            self.tally.wrong.append(f"{where}: it says that it is done, but {lies}")
        return False

    def _left_out(self, trial: Trial) -> bool:
        """Whether it went on without a photo or a picture that the disk did not give, and said so."""
        rejects = self._states.folder / trial.state / "set" / "rejects.parquet"
        named = rejects.exists() and "unreadable" in pq.read_table(rejects, columns=["reason"])["reason"].to_pylist()
        return named or LEFT_OUT in trial.first.said

    def _note(self, sentence: str) -> None:
        self.tally.refusals[sentence.replace(str(self._spot), "").replace("\n", " ")[:280]] += 1


def _settled(tree: Tree) -> Tree:
    """Without work folders, which the next call removes where a disk would not let them go."""
    return {name: digest for name, digest in tree.items() if "/.phq-" not in f"/{name}"}


def _differences(target: Tree, there: Tree) -> str:
    names = sorted(name for name in target.keys() | there.keys() if target.get(name) != there.get(name))
    kinds = [f"{'lacks' if n not in there else 'also' if n not in target else 'other'} {n}" for n in names]
    return ", ".join(kinds[:6]) + (f" and {len(kinds) - 6} more" if len(kinds) > 6 else "")


def main() -> None:
    """Try every command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path, help="folder for the trials")
    parser.add_argument("--commands", default=",".join(CASES), help="names")
    parser.add_argument("--faults", default=",".join(KINDS), help="kinds of faults")
    parser.add_argument("--every", type=int, default=1, help="only every N-th operation")
    parser.add_argument("--say", action="store_true", help="print the sentences of refusals too")
    given = parser.parse_args()
    failed = 0
    print(f"| command | {' | '.join(COUNTS)} | wrong | CPU s |\n|---{'|---' * (len(COUNTS) + 2)}|", flush=True)
    for name in given.commands.split(","):
        start = processor_seconds()
        with stand_ins():
            command = Command(name, CASES[name], given.work / "trial")
            command.try_all(given.faults.split(","), given.every)
        tally, seconds = command.tally, processor_seconds() - start
        counts = " | ".join(str(tally.counts[key]) for key in COUNTS)
        print(f"| {name} | {counts} | {len(tally.wrong)} | {seconds:.0f} |", flush=True)
        for sentence, count in tally.refusals.items() if given.say else ():
            print(f"  {count} × {sentence}")
        for fault in tally.wrong:
            print(fault, file=sys.stderr, flush=True)
        failed += len(tally.wrong)
    shutil.rmtree(given.work / "trial", ignore_errors=True)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
