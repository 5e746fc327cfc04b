"""docs/read.md: its code runs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tiny_datasets import tiny_samples, write_tiny

DOCUMENT = Path(__file__).parents[2] / "docs" / "read.md"


def test_the_code_of_the_document_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_tiny(tmp_path / "dataset", tiny_samples(30, 4))
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text("utf-8"), re.DOTALL)
    names: dict[str, object] = {}
    for block in blocks:
        exec(compile(block, str(DOCUMENT), "exec"), names)
    assert len(blocks) == 3
    assert names["loader"].epoch == 4  # type: ignore[attr-defined]
