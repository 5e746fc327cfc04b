"""Builds without networks."""

from __future__ import annotations

import pytest
from networkless_pipeline import use_networkless_pipeline


@pytest.fixture
def networkless(monkeypatch: pytest.MonkeyPatch) -> None:
    """Builds of this process and of its workers use the networkless pipeline."""
    use_networkless_pipeline(monkeypatch)
