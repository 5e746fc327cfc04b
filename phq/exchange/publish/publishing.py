"""`publish`: a dataset for others, in a folder or on a hub. The command ``phq publish`` is this one call."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from phq.curate.verify.verify import verify
from phq.dataset.folder import DATASHEET, SHARD
from phq.errors import ConfigError, InputError
from phq.exchange.publish.checks import Finding, check_accepted, findings
from phq.exchange.publish.content import PublishedFile, files_of
from phq.exchange.publish.datasheet import open_questions
from phq.exchange.publish.folder import FolderTarget
from phq.exchange.publish.hub import HubTarget
from phq.system.atomic import disk_errors_explained
from phq.system.place import is_url
from phq.system.sizes import size_text

MOST = 100
"""Samples in the preview by default."""
HUB = "hf:"
"""Beginning of a target on the Hugging Face Hub."""


@dataclass(frozen=True)
class Published:
    """What was published, or would be."""

    to: str
    findings: tuple[Finding, ...]
    """What a publisher should know; those that stand in the way first."""
    files: dict[str, int]
    """Bytes of each file of the copy by its path; empty where something stands in the way."""
    new: tuple[str, ...] = ()
    """Those of them that are not there yet, or differ."""
    stale: tuple[str, ...] = ()
    """Files of an earlier copy that go."""
    open_questions: int = 0
    """Of the datasheet, which wait for the maintainer."""
    applied: bool = False
    """Whether it was done."""

    @property
    def blocked(self) -> bool:
        """Whether something stands in the way."""
        return any(finding.blocks for finding in self.findings)


@disk_errors_explained
def publish(  # noqa: PLR0913 - the options of the command
    dataset: str | Path,
    to: str | Path,
    *,
    apply: bool = False,
    accept: Collection[str] = (),
    preview: int = MOST,
    private: bool = False,
    quick: bool = False,
    workers: int | None = None,
    quiet: bool = True,
) -> Published:
    """Publish a dataset: shards, tables, card, and beside them a preview, a datasheet and a takedown log.

    Without `apply` nothing is written and nothing is sent; a hub is only asked what it has. The dataset itself is never
    changed. Files of others in its folder, marks of reviews and drawings are left out; the contact sheet is drawn anew.
    The same call continues after an interruption, and brings an earlier copy up to date: what was redacted since goes.

    Args:
        dataset: a local folder.
        to: ``hf:USER/NAME``, or a folder that is new, empty or an earlier copy.
        apply: do it.
        accept: names of `phq.exchange.publish.checks.ACCEPTABLE` that do not stand in the way.
        preview: samples in the preview at most.
        private: make a new repository private.
        quick: verify without reading images and masks.
        workers: processes of the verification.
        quiet: no progress bars.

    Raises:
        InputError: no dataset.
        ConfigError: a target or a name to accept that does not exist.
        MissingExtraError: the hub's client library is not installed.
        OutputError: the target holds something else, cannot be written, or refuses.
    """
    folder = Path(dataset)
    check_accepted(accept)
    target = _target(to, private)
    target.check(folder)
    verified = verify(folder, quick=quick, workers=workers, quiet=quiet)
    found = tuple(findings(folder, verified, accept))
    if any(finding.blocks for finding in found):
        return Published(str(to), found, {})
    own = folder / DATASHEET
    answers = own.read_text("utf-8", errors="replace") if own.is_file() else target.datasheet()
    files = files_of(folder, target.name, answers, preview)
    new, stale = target.missing(files), target.stale(files)
    if apply and (new or stale):
        target.put(new, stale, quiet)
    return Published(
        str(to), found, {file.name: file.size for file in files}, tuple(file.name for file in new), tuple(stale),
        _open_questions(files), apply,
    )  # fmt: skip


def _target(to: str | Path, private: bool) -> FolderTarget | HubTarget:
    if isinstance(to, str) and to.startswith(HUB) and not to.startswith(f"{HUB}//"):
        return HubTarget(to.removeprefix(HUB), private)
    if is_url(to):
        raise ConfigError(f"{to}: a copy goes to a folder on this machine, or to hf:USER/NAME")
    if private:
        raise InputError("--private is about a repository on the hub; a folder is as private as you keep it")
    return FolderTarget(Path(to))


def _open_questions(files: list[PublishedFile]) -> int:
    return sum(open_questions(file.content.decode()) for file in files if file.name == DATASHEET)


def lines(result: Published) -> Iterator[str]:
    """The result as text."""
    yield from (finding.line() for finding in result.findings)
    if result.blocked:
        yield "nothing was published"
        return
    size = sum(result.files.values())
    shards = sum(bool(SHARD.fullmatch(name)) for name in result.files)
    yield f"{len(result.files)} files, {size_text(size)}, {shards} of them shards"
    for name in (name for name in result.files if not SHARD.fullmatch(name)):
        yield f"  {size_text(result.files[name]):>9}  {name}"
    if result.open_questions:
        yield f"{DATASHEET} has {result.open_questions} questions that only you can answer"
    sent = size_text(sum(result.files[name] for name in result.new))
    did = ("written", "removed") if result.applied else ("to write", "to remove")
    yield f"{result.to}: {len(result.new)} files {did[0]}, {sent}; {len(result.stale)} {did[1]}"
    yield from (f"             {name} is not in the dataset" for name in result.stale)
    if not result.applied:
        yield "dry run, nothing was published; --apply does it"
    elif result.stale and result.to.startswith(HUB):
        yield "earlier revisions of the repository still have what was removed; its history must be squashed or deleted"
