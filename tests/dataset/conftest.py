"""The dataset that the reader's tests read, and the places that they read it from."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from reader_dataset import PLACES, offered, write_heads


@pytest.fixture(scope="session")
def heads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The dataset of `reader_dataset`."""
    return write_heads(tmp_path_factory.mktemp("reader") / "heads")


@pytest.fixture(params=PLACES)
def where(request: pytest.FixtureRequest, heads: Path) -> Iterator[str]:
    """Folder or URL of `heads`: one after the other in every kind of place."""
    with offered(heads, request.param) as place:
        yield place
