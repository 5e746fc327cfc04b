"""The review page's server without a socket, as its page speaks to it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from review_dataset import TOKEN
from starlette.testclient import TestClient

from phq.dataset.marks_log import MarkLog, open_log
from phq.dataset.overlays import write_overlay
from phq.view.review.app import Review, make_app
from phq.view.review.catalogue import Catalogue

HEADERS = {"Authorization": f"Bearer {TOKEN}"}
BASE = "http://127.0.0.1"
Opened = tuple[TestClient, list[str], MarkLog]


@contextmanager
def opened_review(folder: Path, keys: list[str]) -> Iterator[Opened]:
    """A client of a dataset, its keys, and the log of marks."""
    with open_log(folder) as log:
        yield client_of(folder, log), keys, log


def client_of(folder: Path, log: MarkLog) -> TestClient:
    """One who has the token."""
    app = make_app(Review(Catalogue(folder), log, "ann"), TOKEN)
    return TestClient(app, base_url=BASE, headers=HEADERS)


def mark(client: TestClient, keys: list[str], mark: str = "keep", reason: str = "", reviewer: str = "ann") -> Any:
    """The answer to a mark."""
    return client.post("/api/marks", json={"reviewer": reviewer, "mark": mark, "reason": reason, "keys": keys})


def throw_out(folder: Path, keys: list[str]) -> None:
    """Let an overlay throw samples out as blurred."""
    rows = [{"key": key, "decision": "rejected", "reason": "blurred"} for key in keys]
    write_overlay(folder, "decided", rows, ["decision", "reason"], {"command": "decide"})
