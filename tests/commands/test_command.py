"""The command: what it prints, its exit codes, and what importing costs."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from bundled_photos import FOLDER
from curated_datasets import files, person, write

import phq
from phq.cli import main
from phq.commands.ending import ExitCode

ROOT = Path(__file__).parents[2]
HEAVY = ("torch", "cv2", "onnxruntime", "pyarrow", "scipy", "pydantic", "PIL", "webdataset", "numpy")

NO_NETWORK = """
import socket, sys
def refuse(*a, **k): raise OSError("no network in this test")
socket.socket.connect = refuse
socket.create_connection = refuse
class NoTorch:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("torch", "ultralytics", "mediapipe", "insightface", "smplx", "ray"):
            raise ModuleNotFoundError(name + " is not there in this test", name=name)
sys.meta_path.insert(0, NoTorch())
"""


def run(*words: str, code: str = "") -> subprocess.CompletedProcess[str]:
    start = [sys.executable, "-c", code + "\nfrom phq.cli import main; main()"] if code else [sys.executable, "cli.py"]
    return subprocess.run([*start, *words], capture_output=True, text=True, cwd=ROOT, env=os.environ, check=False)


class Ended(NamedTuple):
    """What a command left: as of `run`, without the start of an interpreter."""

    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def called(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Ended]:
    """Calls the entry point in this process."""

    def call(*words: str) -> Ended:
        monkeypatch.setattr(sys, "argv", ["phq", *words])
        capfd.readouterr()
        with pytest.raises(SystemExit) as end:
            main()
        return Ended(int(end.value.code or 0), *capfd.readouterr())

    return call


def stop(*_: object, **__: object) -> None:
    """In place of something that is interrupted."""
    raise KeyboardInterrupt


@pytest.fixture(scope="module")
def one_photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("one")
    (source,) = FOLDER.glob("*astronaut*")
    (folder / source.name).write_bytes(source.read_bytes())
    return folder


def test_build_without_network_and_without_torch(one_photo: Path, tmp_path: Path):
    words = ("build", str(one_photo), str(tmp_path / "out"), "--size", "128", "--workers", "1")
    done = run(*words, "--set", "head.min=off", code=NO_NETWORK)
    assert done.returncode == 0, done.stderr
    assert "kept 1" in done.stdout
    assert "Apache-2.0" in done.stdout
    assert "contact-sheet.png" in done.stdout
    assert "annotated 1" in done.stderr  # the progress


def test_fast_uses_and_names_the_smaller_network(one_photo: Path, tmp_path: Path, called: Callable[..., Ended]):
    words = ("--size", "64", "--workers", "1", "--fast", "--preset", "everything")
    done = called("build", str(one_photo), str(tmp_path / "out"), *words)
    assert done.returncode == 0, done.stderr
    assert "blazepose-full" in done.stdout
    assert "blazepose-heavy" not in done.stdout


def test_the_summary_names_the_networks_that_were_really_used(
    one_photo: Path, tmp_path: Path, called: Callable[..., Ended]
):
    words = ("--size", "64", "--workers", "1", "--set", "fast=true")
    done = called("build", str(one_photo), str(tmp_path / "out"), *words)
    assert done.returncode == 0, done.stderr
    assert "blazepose-full" in done.stdout
    assert "blazepose-heavy" not in done.stdout


def test_ctrl_c_says_that_nothing_finished_is_lost(one_photo: Path, tmp_path: Path):
    stopped = "import phq.building.build as b\ndef stop(*a, **k): raise KeyboardInterrupt\nb.run_plan = stop\n"
    done = run("build", str(one_photo), str(tmp_path / "out"), code=stopped)
    assert done.returncode == ExitCode.STOPPED
    assert "the same command continues" in done.stderr
    assert f"build {one_photo} {tmp_path / 'out'}" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_bake_that_is_stopped_says_that_it_starts_again_and_does(
    tmp_path: Path, called: Callable[..., Ended], monkeypatch: pytest.MonkeyPatch
):
    dataset, out = write(tmp_path / "set", [person(n) for n in range(3)], sheet=False), tmp_path / "out"
    with monkeypatch.context() as patch:
        patch.setattr("phq.curate.bake.write_dataset", stop)
        done = called("bake", str(dataset), str(out))
    assert done.returncode == ExitCode.STOPPED
    assert "the same command starts again from the beginning" in done.stderr
    assert "kept 3" in called("bake", str(dataset), str(out)).stdout


def test_a_split_that_is_stopped_has_changed_all_or_nothing(
    tmp_path: Path, called: Callable[..., Ended], monkeypatch: pytest.MonkeyPatch
):
    dataset = write(tmp_path / "set", [person(n) for n in range(3)], sheet=False)
    before = files(dataset)
    monkeypatch.setattr("phq.dataset.overlays.atomic_write", stop)
    done = called("split", str(dataset), "--name", "new", "--by", "source")
    assert done.returncode == ExitCode.STOPPED
    assert "either the whole change or nothing of it" in done.stderr
    assert files(dataset) == before


def test_an_error_of_phq_itself_has_its_own_exit_code(
    tmp_path: Path, called: Callable[..., Ended], monkeypatch: pytest.MonkeyPatch
):
    def fails(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("phq.view.stats.stats", fails)
    done = called("stats", str(tmp_path))
    assert done.returncode == ExitCode.BUG
    assert "ZeroDivisionError" in done.stderr
    assert "please report it" in done.stderr


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("build", "nowhere-at-all", "OUT"), "nowhere-at-all"),
        (("build", "PHOTOS", "OUT", "--preset", "x"), "there are: default, everything"),
        (("build", "PHOTOS", "OUT", "--set", "blurr.min=1"), "blur.min"),
        (("build", "PHOTOS", "OUT", "--config", "nowhere.toml"), "nowhere.toml"),
    ],
)
def test_a_mistake_is_one_sentence_and_exit_code_2(
    words, says, one_photo: Path, tmp_path: Path, called: Callable[..., Ended]
):
    done = called(*(w.replace("PHOTOS", str(one_photo)).replace("OUT", str(tmp_path / "out")) for w in words))
    assert done.returncode == 2
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_version():
    assert run("--version").stdout.strip() == f"phq {phq.__version__}"


def test_importing_phq_and_asking_for_help_pull_in_nothing_heavy():
    code = f"import sys, phq; print([m for m in {HEAVY!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.strip() == "[]"
    code = f"import sys, phq.cli; print([m for m in {HEAVY!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.strip() == "[]"


def heavy(code: str, *words: str) -> set[str]:
    """Which of `HEAVY` some code has imported when it ends."""
    code = f"import sys\ntry:\n    {code}\nfinally:\n    print('HEAVY', *[m for m in {HEAVY!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, cwd=ROOT, check=False)
    assert "Traceback" not in done.stderr, done.stderr
    return set(done.stdout.splitlines()[-1].split()[1:])


def test_a_record_or_numbers_of_a_dataset_take_neither_pictures_nor_networks(tmp_path: Path):
    sample = person(1)
    out = write(tmp_path, [sample])
    for command in (("show", str(out), sample.row["key"]), ("stats", str(out))):
        assert heavy("from phq.cli import main; main()", *command) <= {"numpy", "pyarrow", "pydantic"}
    assert heavy("from phq.cli import main; main()", "weights", "list") <= {"pydantic"}


BLAS_THREADS = """
try:
    from phq.cli import main; main()
finally:
    from threadpoolctl import threadpool_info
    print("THREADS", *[pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"])
"""


def test_numpy_of_a_command_has_one_blas_thread(tmp_path: Path):
    write(tmp_path, [person(1)])
    environment = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}
    words = [sys.executable, "-c", BLAS_THREADS, "stats", str(tmp_path)]
    done = subprocess.run(words, capture_output=True, text=True, cwd=ROOT, env=environment, check=True)
    assert set(done.stdout.splitlines()[-1].split()[1:]) <= {"1"}


def test_a_worker_begins_without_what_only_deciding_needs():
    assert not heavy("import phq.building.build") & {"torch", "scipy", "onnxruntime", "webdataset"}


def test_the_pipeline_needs_no_torch_even_where_it_is_installed():
    code = "import sys, phq.stages.pipeline as p; from phq.config.build import load_config; p.stages(load_config()); "
    code += "print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.strip() == "False"


def test_unknown_name_of_the_package():
    with pytest.raises(AttributeError, match="no attribute 'bild'"):
        _ = phq.bild
