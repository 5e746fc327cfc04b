"""The contract in pyproject.toml that a room imports only the rooms below it can fail."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("importlinter", reason="import-linter is not installed (phq[dev])")

ROOT = Path(__file__).parents[1]
LINT = "from importlinter.cli import lint_imports_command; lint_imports_command()"


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    """import-linter on the package in a folder."""
    environment = {**os.environ, "PYTHONPATH": str(folder), "COLUMNS": "200"}
    command = [sys.executable, "-c", LINT, "--no-cache"]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The contracts, and the package with nothing in its rooms but one file."""
    folder = tmp_path_factory.mktemp("layers")
    shutil.copy(ROOT / "pyproject.toml", folder)
    package = ROOT / "phq"
    for source in (*package.glob("*.py"), *package.glob("*/__init__.py"), package / "building" / "build.py"):
        target = folder / source.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.touch()
    return folder


def test_an_import_upwards_breaks_the_contract(sources: Path) -> None:
    low = sources / "phq" / "reasons.py"
    assert lint(sources).returncode == 0
    low.write_text("def _planted() -> None:\n    import phq.building.build\n")
    done = lint(sources)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "phq.reasons is not allowed to import phq.building" in done.stdout
    assert "phq.reasons -> phq.building.build" in done.stdout


RECORD = ("photos", "camera", "people", "detect", "pose", "align", "quality", "stages")
"""Rooms in which the numbers of a record are computed."""
BY_THE_PROCESSOR = {"dot", "inner", "vdot", "matmul", "tensordot", "cov", "corrcoef", "convolve", "correlate"}
LINALG = {"norm"}
"""Of numpy.linalg: with an axis it is a sum of squares."""
ELEMENTARY = {"exp", "log", "sin", "cos", "tan", "tanh", "arctan2", "arcsin", "arccos", "hypot", "log1p", "logaddexp"}
LEFT_ALONE = {
    "phq/pose/transfer.py": {"lstsq"},
    "phq/pose/smpl_file.py": set[str](),
}
"""What only `phq annotate --body` computes."""


def _processor_bound(path: Path) -> list[str]:
    found = []
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        line = f"{path.name}:{getattr(node, 'lineno', 0)}"
        if isinstance(node, ast.BinOp | ast.AugAssign) and isinstance(node.op, ast.MatMult):
            found.append(f"{line} @")
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "np":
            found += [f"{line} {node.attr}"] if node.attr in BY_THE_PROCESSOR | ELEMENTARY else []
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "np.linalg":
            allowed = LINALG | LEFT_ALONE.get(path.relative_to(ROOT).as_posix(), set())
            found += [f"{line} linalg.{node.attr}"] if node.attr not in allowed else []
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "np.linalg.norm":
            found += [] if any(word.arg == "axis" for word in node.keywords) else [f"{line} norm without axis"]
    return found


def test_a_record_is_computed_without_kernels_that_the_processor_chooses() -> None:
    """`phq.system.linear` and `phq.system.elementary` in place of numpy's BLAS and the C library; back ends, which run
    other people's networks, apart."""
    files = [
        path for room in RECORD for path in sorted((ROOT / "phq" / room).rglob("*.py")) if "backends" not in path.parts
    ]
    assert [line for path in files for line in _processor_bound(path)] == []
