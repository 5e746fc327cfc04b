"""A hub in memory behind the real client's methods: every call is held to the client's own signature."""

from __future__ import annotations

import hashlib
import inspect
from typing import Any

import pytest

hub = pytest.importorskip("huggingface_hub")
from huggingface_hub.errors import RepositoryNotFoundError  # noqa: E402
from huggingface_hub.hf_api import RepoFile, RepoFolder  # noqa: E402

REAL = hub.HfApi
"""The client itself, which the tests put the fake in place of."""
LARGE = 4096
"""Bytes from which a file is stored by its sha256."""


class FakeHub:
    """Repositories by name, and how many commits they have."""

    def __init__(self) -> None:
        self.repos: dict[str, dict[str, bytes]] = {}
        self.private: dict[str, Any] = {}
        self.commits = 0
        self.sent: list[str] = []
        self.fail_at = 0
        """Number of the commit that fails; 0: none."""
        self.unreachable: Exception | None = None
        """What asking for files raises."""

    def api(self, **options: Any) -> Any:
        """As `huggingface_hub.HfApi` is made."""
        return _api(self, **options)


def _api(fake: FakeHub, **options: Any) -> Any:
    class Api(REAL):  # type: ignore[misc, name-defined]
        def create_repo(self, *args: Any, **named: Any) -> None:
            asked = _bound(REAL.create_repo, self, args, named)
            assert asked["repo_type"] == "dataset"
            fake.repos.setdefault(asked["repo_id"], {})
            fake.private.setdefault(asked["repo_id"], asked.get("private"))

        def list_repo_tree(self, *args: Any, **named: Any) -> Any:
            asked = _bound(REAL.list_repo_tree, self, args, named)
            if fake.unreachable:
                raise fake.unreachable
            assert asked["recursive"]
            if asked["repo_id"] not in fake.repos:
                raise _not_found()
            yield RepoFolder(path="train", oid="0" * 40)
            for path, content in fake.repos[asked["repo_id"]].items():
                yield _repo_file(path, content)

        def create_commit(self, *args: Any, **named: Any) -> None:
            asked = _bound(REAL.create_commit, self, args, named)
            fake.commits += 1
            if fake.commits == fake.fail_at:
                raise ConnectionError("the connection is gone")
            for operation in asked["operations"]:
                if isinstance(operation, hub.CommitOperationDelete):
                    del fake.repos[asked["repo_id"]][operation.path_in_repo]
                    continue
                with operation.as_file() as stream:
                    fake.repos[asked["repo_id"]][operation.path_in_repo] = stream.read()
                fake.sent.append(operation.path_in_repo)

    return Api(**options)


def _bound(method: Any, api: Any, args: tuple[Any, ...], named: dict[str, Any]) -> dict[str, Any]:
    return inspect.signature(method).bind(api, *args, **named).arguments


def _repo_file(path: str, content: bytes) -> Any:
    blob = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
    large = {"size": len(content), "oid": hashlib.sha256(content).hexdigest(), "pointerSize": 130}
    return RepoFile(path=path, size=len(content), oid=blob, lfs=large if len(content) >= LARGE else None)


def _not_found() -> Exception:
    error: Exception = RepositoryNotFoundError.__new__(RepositoryNotFoundError)
    Exception.__init__(error, "no such repository")
    return error
