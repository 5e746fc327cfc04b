"""The contract in pyproject.toml that a room imports only the rooms below it can fail."""

from __future__ import annotations

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
    """A copy of the package's sources and of the contracts."""
    folder = tmp_path_factory.mktemp("layers")
    shutil.copy(ROOT / "pyproject.toml", folder)
    for source in (ROOT / "phq").rglob("*.py"):
        target = folder / source.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target)
    return folder


def test_an_import_upwards_breaks_the_contract(sources: Path) -> None:
    low = sources / "phq" / "reasons.py"
    low.write_text(f"{low.read_text()}\n\ndef _planted() -> None:\n    import phq.building.build\n")
    done = lint(sources)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "phq.reasons is not allowed to import phq.building" in done.stdout
    assert "phq.reasons -> phq.building.build" in done.stdout
