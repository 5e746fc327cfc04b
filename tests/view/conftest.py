"""A browser, and the review page of a small dataset."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from headless_chromium import chromium
from review_client import Opened, opened_review
from review_dataset import review_dataset


@pytest.fixture(scope="session")
def one_chromium() -> Iterator[Any]:
    """One headless Chromium for all tests."""
    with chromium() as browser:
        yield browser


@pytest.fixture
def browser(one_chromium: Any) -> Iterator[Any]:
    """The Chromium, without the pages of other tests: an open page goes on drawing and asking its server."""
    yield one_chromium
    for context in one_chromium.contexts:
        context.close()


@pytest.fixture(scope="session")
def twelve(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """A dataset of twelve samples, and their keys; not to be changed."""
    folder = tmp_path_factory.mktemp("twelve") / "dataset"
    return folder, review_dataset(folder, 12)


@pytest.fixture
def opened(twelve: tuple[Path, list[str]], tmp_path: Path) -> Iterator[Opened]:
    """A client of the review of a copy of them, the dataset's keys, and the log of marks."""
    folder, keys = twelve
    with opened_review(shutil.copytree(folder, tmp_path / "opened"), keys) as review:
        yield review
