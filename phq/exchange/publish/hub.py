"""A published copy as a dataset repository on the Hugging Face Hub, by its own client library.

The client knows who is logged in (``hf auth login``); phq neither sees nor keeps a token.
"""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from phq.dataset.folder import CARD, TAKEDOWNS
from phq.errors import ConfigError, MissingExtraError, OutputError
from phq.exchange.publish.content import LAST, PublishedFile, may_be_published
from phq.system.bars import bar
from phq.system.sizes import say_size

FILES, BYTES = 64, 5 * 10**9
"""Most files, and about most bytes, of one commit: what a stopped upload has to send again."""
_OF_THE_HUB = (".gitattributes", CARD)
"""Files of a repository that is new."""
_NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}")


@dataclass(frozen=True)
class HubTarget:
    """A dataset repository, which is made if it is not there."""

    repo: str
    """``USER/NAME``."""
    private: bool = False
    """Whether a new one is private."""

    @property
    def name(self) -> str:
        """By which readers load it."""
        return self.repo

    def check(self, _dataset: Path) -> None:
        """Let a name pass that a repository can have, where the client library is installed.

        Raises:
            ConfigError: another name.
            MissingExtraError: the library is not installed.
        """
        if not _NAME.fullmatch(self.repo):
            raise ConfigError(f"hf:{self.repo} is not hf:USER/NAME")
        _client()

    @cached_property
    def _api(self) -> Any:
        return _client()

    def datasheet(self) -> str:
        """None is fetched: answers are kept in the dataset's own folder."""
        return ""

    def missing(self, files: Sequence[PublishedFile]) -> list[PublishedFile]:
        """Files that the repository does not have as they should be.

        Raises:
            OutputError: the hub does not answer or refuses, or the repository holds what phq has not published.
        """
        foreign = [name for name in self._there if not may_be_published(name) and name not in _OF_THE_HUB]
        if foreign and TAKEDOWNS not in self._there:
            raise OutputError(
                f"hf:{self.repo} holds {foreign[0]}, which phq has not published; choose another repository"
            )
        return [file for file in files if not _same(self._there.get(file.name), file)]

    def stale(self, files: Sequence[PublishedFile]) -> list[str]:
        """Files of an earlier upload that the dataset does not have any more; sorted."""
        wanted = {file.name for file in files}
        return sorted(name for name in self._there if may_be_published(name) and name not in wanted)

    @cached_property
    def _there(self) -> dict[str, Any]:
        """What is in the repository, by path; nothing if there is no such repository."""
        from huggingface_hub.errors import RepositoryNotFoundError

        with _explained(self.repo, "nothing was sent"):
            try:
                tree = list(self._api.list_repo_tree(self.repo, recursive=True, repo_type="dataset"))
            except RepositoryNotFoundError:
                return {}
        return {entry.path: entry for entry in tree if hasattr(entry, "blob_id")}

    def put(self, files: Sequence[PublishedFile], stale: Sequence[str], quiet: bool) -> None:
        """Commit files in order, some at a time; the last commit has `LAST`, and deletes the stale ones.

        Raises:
            OutputError: the hub does not answer, or refuses; what is committed stays, and the same call continues.
        """
        from huggingface_hub import CommitOperationAdd, CommitOperationDelete

        size = sum(file.size for file in files)
        say_size(f"sending {len(files)} files to hf:{self.repo}", size, quiet)
        with _explained(self.repo):
            self._api.create_repo(self.repo, repo_type="dataset", private=self.private or None, exist_ok=True)
        parts = list(commits(files))
        if stale and not parts:
            parts = [[]]
        with bar(total=size, unit="B", desc="publish", quiet=quiet) as shown:
            for number, part in enumerate(parts, 1):
                operations: list[Any] = [CommitOperationAdd(file.name, file.source or file.content) for file in part]
                if number == len(parts):
                    operations += [CommitOperationDelete(name) for name in stale]
                text = f"phq publish, {number} of {len(parts)}"
                with _explained(self.repo):
                    self._api.create_commit(self.repo, operations, commit_message=text, repo_type="dataset")
                shown.update(sum(file.size for file in part))


def _client() -> Any:
    """The client, which knows who is logged in.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        from huggingface_hub import HfApi
    except ImportError:
        raise MissingExtraError("huggingface_hub", "hub", "publishing on the Hugging Face Hub") from None
    return HfApi(library_name="phq")


def commits(files: Sequence[PublishedFile]) -> Iterator[list[PublishedFile]]:
    """Files by commit: at most `FILES` and about `BYTES` each, those of `LAST` in the last one together."""
    part: list[PublishedFile] = []
    for file in files:
        full = len(part) >= FILES or sum(one.size for one in part) + file.size > BYTES
        if part and full and file.name not in LAST:
            yield part
            part = []
        part.append(file)
    if part:
        yield part


def _same(there: Any, file: PublishedFile) -> bool:
    """Whether a file of a repository has this content: large ones state their sha256, small ones that of git."""
    if there is None or there.size != file.size:
        return False
    if there.lfs is not None:
        return bool(there.lfs.sha256 == file.sha256)
    content = file.content if file.source is None else file.source.read_bytes()
    blob = hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
    return bool(there.blob_id == blob)


@contextmanager
def _explained(repo: str, sent: str = "what was sent stays") -> Iterator[None]:
    """Errors of the client library, and of the connection, as one sentence: not each of its attempts as a warning."""
    log = logging.getLogger("huggingface_hub")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        yield
    except Exception as error:
        if isinstance(error, OutputError) or not _is_of_hub(error):
            raise
        if _is_of_network(error):
            raise OutputError(
                f"hf:{repo}: there is no connection to the hub; {sent}, and the same command continues"
            ) from error
        line = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise OutputError(
            f"hf:{repo}: {line} (`hf auth login` logs in; {sent}, and the same command continues)"
        ) from error
    finally:
        log.setLevel(level)


_CLIENTS = ("huggingface_hub", "httpx", "requests")
"""How the modules of the client's errors begin; newer ones come from `httpx2`."""


def _is_of_network(error: BaseException | None) -> bool:
    """Whether there was no answer at all: no network, no such host, or nobody listens."""
    names = {cls.__name__ for cls in type(error).__mro__}
    if isinstance(error, ConnectionError) or names & {
        "ConnectionError",
        "ConnectError",
        "ConnectTimeout",
        "OfflineModeIsEnabled",
    }:
        return True
    return error is not None and _is_of_network(error.__cause__ or error.__context__)


def _is_of_hub(error: Exception) -> bool:
    """Whether it comes from the client, or from the HTTP library of its version."""
    modules = [cls.__module__ for cls in type(error).__mro__]
    return isinstance(error, OSError) or any(name.startswith(_CLIENTS) for name in modules)
