"""Training in processes of its own: killed, interrupted, two of them together, and without its packages."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from itertools import count
from pathlib import Path
from types import ModuleType

import pytest
import torch
from training_dataset import SETS, read_log

from phq.cli import main
from phq.generator.train import checkpoint, losses
from phq.generator.train.checkpoint import checkpoints, latest
from phq.generator.train.run import train

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
COMMAND = """
from phq.cli import main
sys.argv[1:1] = ["gan", "train"]
main()
"""
NOT_THERE = """
class NotThere:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == {name!r}:
            raise ModuleNotFoundError(name + " is not there in this test", name=name)
sys.meta_path.insert(0, NotThere())
"""


def start(*words: str | Path, code: str = "") -> subprocess.CompletedProcess[str]:
    script = [sys.executable, "-c", "import sys\n" + code + COMMAND]
    return run(*script, *words)


def run(*words: str | Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "200"}
    return subprocess.run([*map(str, words)], capture_output=True, text=True, env=environment, check=False)


def options(sets: list[str] | tuple[str, ...]) -> list[str]:
    return [word for text in sets for word in ("--set", text)]


def signalled_at(
    call: int, module: ModuleType, name: str, work: Callable[[], object], number: signal.Signals = signal.SIGKILL
) -> int:
    """Do `work` in a copy of this process, in which torch is loaded, that gets a signal at that call of a function.

    Returns:
        As `os.waitstatus_to_exitcode`.
    """
    child = os.fork()
    if not child:
        real, calls = getattr(module, name), count(1)

        def signals(*args: object, **options: object) -> object:
            if next(calls) == call:
                os.kill(os.getpid(), number)
            return real(*args, **options)

        code: object = 1
        try:
            setattr(module, name, signals)
            work()
        except SystemExit as end:
            code = end.code
        finally:
            os._exit(code if isinstance(code, int) else 1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.parametrize(
    ("module", "name", "call"),
    [(losses, "judged", 5), (checkpoint, "write_bytes", 2)],
    ids=["in a step", "between the two files of a checkpoint"],
)
def test_killed_at_any_point_and_resumed(
    portraits: Path, whole_run: Path, tmp_path: Path, module: ModuleType, name: str, call: int
):
    out = tmp_path / "run"
    assert signalled_at(call, module, name, lambda: train([portraits], out, sets=SETS)) == -signal.SIGKILL
    assert [found.images for found in checkpoints(out)] == [12]
    assert train([portraits], out, resume=True).finished
    one, other = latest(out), latest(whole_run)
    assert one.tensors.read_bytes() == other.tensors.read_bytes()
    assert one.facts() == other.facts()
    assert read_log(out) == read_log(whole_run)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_ctrl_c_is_a_sentence_and_a_checkpoint(portraits: Path, tmp_path: Path):
    out, said = tmp_path / "run", tmp_path / "said"

    def command() -> None:
        sys.stdout = sys.stderr = said.open("w")
        sys.argv = ["phq", "gan", "train", str(portraits), "--out", str(out), *options(SETS)]
        signal.signal(signal.SIGINT, signal.default_int_handler)
        main()

    assert signalled_at(2, losses, "judged", command, signal.SIGINT) == 130
    assert said.read_text().splitlines()[-1] == "phq: stopped after 8 images, which are saved; --resume continues"
    assert "Traceback" not in said.read_text()
    assert latest(out).images == 8


def test_two_processes_are_one_with_the_same_batch(portraits: Path, tmp_path: Path):
    sets = (*SETS, "training.batch=8", "training.kimg=0.032", "training.checkpoint_kimg=0.032")
    alone = tmp_path / "alone"
    train([portraits], alone, sets=sets)
    script = tmp_path / "phq_train.py"
    script.write_text("import sys\n" + COMMAND)
    together = tmp_path / "together"
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    done = run(*torchrun, script, portraits, "--out", together, *options(sets))
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("32 images") == 1  # one of them talks
    one, other = latest(alone).read(), latest(together).read()
    for name, value in one.items():
        if not name.startswith(("rng.", "opt_")):
            torch.testing.assert_close(other[name], value, rtol=1e-5, atol=1e-5, msg=name)
    for line, twin in zip(read_log(alone), read_log(together), strict=True):
        assert line == pytest.approx(twin, rel=1e-4, abs=1e-5)


@pytest.mark.parametrize("name", ["torch", "tensorboard"])
def test_a_missing_package_names_the_extra(portraits: Path, tmp_path: Path, name: str):
    done = start(portraits, "--out", tmp_path / "run", code=NOT_THERE.format(name=name))
    assert done.returncode == 2
    assert f"needs the package '{name}': pip install 'phq[train]'" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_help_loads_no_torch():
    done = start("--help", code=NOT_THERE.format(name="torch"))
    assert done.returncode == 0
    assert "paper-512" in done.stdout
