"""The public API: its names, what importing them costs, and the examples of docs/api.md."""

from __future__ import annotations

import pkgutil
import re
from pathlib import Path

import pytest
from bundled_photos import copied

import phq

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", phq.__all__)
def test_every_name_is_there_and_listed(name: str) -> None:
    assert getattr(phq, name) is not None
    assert name in dir(phq)


def test_no_module_has_the_name_of_a_function() -> None:
    """``import phq.report`` would put a module in the place of the function."""
    assert not {module.name for module in pkgutil.iter_modules(phq.__path__)} & set(phq.__all__)


def test_the_functions_stay_functions_when_modules_below_have_their_names() -> None:
    import phq.curate.verify.verify
    import phq.view.report.reporting

    assert callable(phq.verify)
    assert callable(phq.report)


def test_the_examples_of_the_page_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")
    copied(("astronaut", "cam3_f000", "f130"), tmp_path / "photos")
    monkeypatch.chdir(tmp_path)
    page = (ROOT / "docs" / "api.md").read_text("utf-8")
    names: dict[str, object] = {}
    for number, block in enumerate(re.findall(r"```python\n(.*?)```", page, re.S)):
        exec(compile(block, f"docs/api.md, example {number}", "exec"), names)
    used = {name for name in phq.__all__ if not name.startswith("_")}
    assert used <= names.keys()
