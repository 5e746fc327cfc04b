"""A browser, and the review page of a small dataset."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from headless_chromium import chromium
from review_client import Opened, opened_review


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """One headless Chromium for all tests; each opens pages of its own."""
    with chromium() as browser:
        yield browser


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Opened]:
    """A client of the review of a new dataset, the dataset's keys, and the log of marks."""
    with opened_review(tmp_path / "opened") as review:
        yield review
