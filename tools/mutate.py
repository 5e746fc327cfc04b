"""Plants small faults, one at a time, in a copy of the tree, and reports which of them the tests see.

Usage: python tools/mutate.py [--only WORD] [--check]

The faults are in ``tools/mutations.toml``. Needs phq[dev] and a system that forks. A fault is *killed* if a test fails,
*survived* if all pass, *broken* if the tests could not be run. First the same tests must pass without a fault.
``--only`` takes the faults with a word in file or description; ``--check`` only looks whether each fault's text occurs
exactly once in its file. The exit code is 1 unless all faults are killed.
"""

from __future__ import annotations

import argparse
import importlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parents[1]
PRELOADED = (
    "cv2",
    "duckdb",
    "hypothesis",
    "numpy",
    "onnxruntime",
    "pyarrow.parquet",
    "pydantic",
    "scipy.spatial",
    "torch",
)
"""Packages whose import takes longer than the tests: each trial is forked from a process that has them."""
OUTCOMES = {int(pytest.ExitCode.TESTS_FAILED): "killed", int(pytest.ExitCode.OK): "survived"}


@dataclass(frozen=True)
class Mutation:
    """One fault: `old`, once in `file`, becomes `new`."""

    fault: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]

    def planted(self, text: str) -> str:
        """The file's text with the fault.

        Raises:
            ValueError: `old` is not there exactly once.
        """
        if (count := text.count(self.old)) != 1:
            raise ValueError(f"{self.file}: {self.old!r} occurs {count} times ({self.fault})")
        return text.replace(self.old, self.new)


def read_mutations(path: Path) -> list[Mutation]:
    """All faults of a table."""
    entries = tomllib.loads(path.read_text(encoding="utf-8"))["mutation"]
    return [Mutation(**{**entry, "tests": tuple(entry["tests"])}) for entry in entries]


def misplaced(mutations: Sequence[Mutation]) -> list[str]:
    """What is wrong with the places of the faults, a line each."""
    errors = []
    for mutation in mutations:
        try:
            mutation.planted((ROOT / mutation.file).read_text(encoding="utf-8"))
        except (ValueError, OSError) as error:
            errors.append(str(error))
    return errors


def copy_tree(target: Path) -> None:
    """The files under version control, as they are in the working tree."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True)
    for name in filter(None, listed.stdout.decode().split("\0")):
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, target / name)


def run_tests(tree: Path, tests: Sequence[str], log: Path) -> int:
    """pytest's exit code, from a forked process that imports phq from `tree`; what it prints goes to `log`."""
    sys.stdout.flush()
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    code = int(pytest.ExitCode.INTERNAL_ERROR)
    try:
        os.chdir(tree)
        output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(output, 1)
        os.dup2(output, 2)
        sys.dont_write_bytecode = True  # a file may change twice within the second that a .pyc knows it by
        os.environ |= {"PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1"}
        sys.path.insert(0, str(tree))
        code = int(pytest.main(["-x", "-q", "-p", "no:cacheprovider", *tests]))
    finally:
        os._exit(code)


def try_out(mutation: Mutation, tree: Path, log: Path) -> str:
    """How a fault fares: ``killed``, ``survived`` or ``broken``."""
    file = tree / mutation.file
    text = file.read_text(encoding="utf-8")
    file.write_text(mutation.planted(text), encoding="utf-8")
    try:
        return OUTCOMES.get(run_tests(tree, mutation.tests, log), "broken")
    finally:
        file.write_text(text, encoding="utf-8")


def try_all(mutations: Sequence[Mutation], folder: Path) -> int:
    """Prints a line a fault; exit code of the command."""
    tree, log = folder / "tree", folder / "log"
    copy_tree(tree)
    tests = sorted({test for mutation in mutations for test in mutation.tests})
    if run_tests(tree, tests, log):
        print(f"without a fault the tests do not pass:\n{log.read_text(encoding='utf-8')[-4000:]}")
        return 1
    outcomes = Counter[str]()
    for mutation in mutations:
        outcome = try_out(mutation, tree, log)
        outcomes[outcome] += 1
        print(f"{outcome:8}  {mutation.file}: {mutation.fault}", flush=True)
    print(", ".join(f"{count} {outcome}" for outcome, count in sorted(outcomes.items())))
    return int(outcomes["killed"] < len(mutations))


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", default="", help="faults with this word in file or description")
    parser.add_argument("--check", action="store_true", help="only look whether each fault finds its place")
    options = parser.parse_args()
    mutations = read_mutations(Path(__file__).with_name("mutations.toml"))
    mutations = [m for m in mutations if options.only in f"{m.file} {m.fault}"]
    if errors := misplaced(mutations):
        print("\n".join(errors))
        return 1
    if options.check:
        return 0
    for name in PRELOADED:
        with suppress(ModuleNotFoundError):
            importlib.import_module(name)
    with tempfile.TemporaryDirectory(prefix="phq-mutate-") as folder:
        return try_all(mutations, Path(folder))


if __name__ == "__main__":
    sys.exit(main())
