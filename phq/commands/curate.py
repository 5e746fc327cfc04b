"""The commands that check and change a finished dataset: ``verify``, ``redact``, ``merge``, ``split``, ``balance``."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from phq.commands.ending import ExitCode, Found
from phq.commands.options import LocalDataset, OverlayName, Revision, Seed, ValFraction, Workers, refuse_given
from phq.commands.output import Json, echo, report
from phq.errors import ConfigError
from phq.system.logs import STDOUT

if TYPE_CHECKING:
    from phq.curate.merge import Merged
    from phq.curate.redact import Redacted
    from phq.curate.same_person import PersonFound
    from phq.curate.split import Division


class By(str, Enum):
    """`phq.curate.split.BY`, known without loading numpy."""

    IDENTITY = "identity"
    SOURCE = "source"


def verify_command(
    dataset: LocalDataset,
    *,
    repair: Annotated[bool, typer.Option("--repair", help="Repair what can be repaired without loss.")] = False,
    quick: Annotated[bool, typer.Option("--quick", help="Do not read the contents of images and masks.")] = False,
    workers: Workers = None,
    json: Json = None,
) -> None:
    """Check every byte of a dataset and every rule of its format; exit code 1 if one is broken."""
    from phq.curate.verify.verify import verify  # numpy and Arrow: not for --help

    found = verify(dataset, repair=repair, quick=quick, workers=workers, quiet=False)
    report("verify", found.record(), found.lines(), json)
    if not found.clean:
        raise Found(remedy=found.remedy(repair))


def redact_command(  # noqa: PLR0913 - one parameter an option
    dataset: LocalDataset,
    keys: Annotated[
        list[str] | None, typer.Argument(help="Whole keys of samples.", metavar="[KEY…]", show_default=False)
    ] = None,
    *,
    source: Annotated[
        str | None, typer.Option(help="Photo in place of keys: its source_path, or a file with the same bytes.",
                                 show_default="none")
    ] = None,
    like: Annotated[
        Path | None, typer.Option(help="A photo of a person: list whoever looks the same, ask, and remove them.",
                                  show_default="none")
    ] = None,
    person: Annotated[
        int | None, typer.Option(min=0, help="With --like: number of the person in it, from 0, left to right.",
                                 show_default="the only one")
    ] = None,
    least: Annotated[
        float | None, typer.Option(min=0, max=1, help="With --like: least cosine of two faces of one person.",
                                   show_default="the network's own, printed beside similar faces")
    ] = None,
    pictures: Annotated[
        Path | None, typer.Option(help="With --like: HTML file with the pictures of those found.", show_default="none")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="With --like: do not ask; similar faces stay.")] = False,
    reason: Annotated[str, typer.Option(help="Reason to keep in the tombstone.", show_default="none")] = "",
    name_in_reason: Annotated[
        bool, typer.Option("--name-in-reason", help="Keep the reason even if it has the person's name.")
    ] = False,
    json: Json = None,
) -> None:  # fmt: skip
    """Remove every trace of some samples from a dataset; exit code 1 if something else still names or shows them."""
    from phq.curate.redact import lines

    if like is None:
        refuse_given("--like", {"--person": person, "--least": least, "--pictures": pictures, "--yes": yes or None})
        done = _redacted(dataset, keys or (), source, reason, name_in_reason)
        report("redact", done, lines(done), json)
        left = not done.clean
    elif keys or source is not None:
        raise ConfigError("--like finds the samples itself: name no keys and no --source beside it")
    else:
        found = _listed(dataset, like, person, least, pictures, json)
        left = _remove_found(dataset, found, yes, reason, name_in_reason, json)
    if left:
        raise typer.Exit(ExitCode.FOUND)


def _remove_found(
    dataset: Path, found: PersonFound, yes: bool, reason: str, name_in_reason: bool, json: str | None
) -> bool:
    """Remove those taken for the person if somebody agrees; whether anything listed is left."""
    from phq.curate.redact import lines

    sure, similar = ([one.key for one in some] for some in (found.sure, found.similar))
    if sure and not yes and not _is_terminal():
        raise ConfigError("nothing was removed: nobody can be asked here; look at the list, then add --yes")
    if not sure or not _agreed(len(sure), yes):
        report("redact", {**vars(found), "keys": []}, ["nothing was removed"], json)
        return bool(found.alike or found.of_photo)
    done = _redacted(dataset, sure, None, reason, name_in_reason)
    stay = [f"similar faces that stay, below {found.least:.2f}: {', '.join(similar)}"] if similar else []
    report("redact", {**vars(found), **vars(done)}, [*lines(done), *stay], json)
    return bool(similar or found.of_photo) or not done.clean


def _redacted(dataset: Path, keys: Sequence[str], source: str | None, reason: str, name_in_reason: bool) -> Redacted:
    """The redaction; whether a reason with a name is stored is asked on a terminal."""
    from phq.curate.redact import NamedReasonError, redact

    try:
        return redact(dataset, keys, source=source, reason=reason, name_in_reason=name_in_reason)
    except NamedReasonError as error:
        question = f"The reason has the name {error.word!r}, and the tombstone will keep it. Store it so?"
        if not _is_terminal() or not typer.confirm(question, err=True):
            raise
        return redact(dataset, keys, source=source, reason=reason, name_in_reason=True)


def _listed(
    dataset: Path, like: Path, person: int | None, least: float | None, pictures: Path | None, json: str | None
) -> PersonFound:
    """Whoever looks like the person in a photo; printed, but where the result is printed as JSON."""
    from phq.curate.same_person import find_person, lines
    from phq.view.person_page import write_person_page

    found = find_person(dataset, like, person=person, least=least, quiet=False)
    for line in lines(found) if json != STDOUT else ():
        echo(line)
    if pictures is not None:
        write_person_page(pictures, dataset, found)
        echo(f"pictures   {pictures}", err=json == STDOUT)
    return found


def _agreed(count: int, yes: bool) -> bool:
    return yes or typer.confirm(f"Remove these {count} samples for good?", err=True)


def _is_terminal() -> bool:
    """Whether a question can be answered."""
    return sys.stdin.isatty()


def merge_command(
    datasets: Annotated[
        list[str],
        typer.Argument(help="Folders or URLs of two or more datasets, then the new folder.", metavar="DATASET… OUT",
                       show_default=False),
    ],
    *,
    revision: Revision = "latest",
    bits: Annotated[
        int | None,
        typer.Option(min=0, max=16, help="Most bits of 64 in which the perceptual hashes of duplicates differ.",
                     show_default="duplicates.bits of the preset everything"),
    ] = None,
    keep_duplicates: Annotated[
        bool, typer.Option("--keep-duplicates", help="Record duplicates without rejecting them.")
    ] = False,
    json: Json = None,
) -> None:  # fmt: skip
    """Merge several datasets into a new one: each picture once, no photo or person in two splits."""
    from phq.curate.merge import merge

    if len(datasets) < 3:
        raise ConfigError("phq merge DATASET… OUT: at least two datasets, then the folder of the new one")
    *sources, out = datasets
    done = merge(sources, out, revision=revision, bits=bits, keep_duplicates=keep_duplicates, quiet=False)
    report("merge", done, _merged_lines(done), json)


def _merged_lines(done: Merged) -> Iterator[str]:
    yield f"kept {done.kept}   rejected {done.rejected}   {done.out}"
    for count, text in (
        (done.same, "records that several datasets had, stored once"),
        (done.duplicates, "duplicates rejected"),
        (done.moved, "samples moved to train, where a linked one is"),
        (done.redacted, "records left out, redacted in one of the datasets"),
    ):
        if count:
            yield f"  {count:6d}  {text}"


def split_command(
    dataset: LocalDataset,
    *,
    name: OverlayName,
    by: Annotated[By, typer.Option(help="What must not be in two splits: a photo, or a person too.",
                                   show_default=False)],
    val: ValFraction = 0.05,
    seed: Seed = 0,
    json: Json = None,
) -> None:  # fmt: skip
    """Divide a dataset into train and val again, as an overlay; phq bake makes it physical."""
    from phq.curate.split import split

    done = split(dataset, name, by.value, val=val, seed=seed)
    report("split", done, _split_lines(done), json)


def _split_lines(done: Division) -> Iterator[str]:
    total = sum(done.sizes.values())
    sizes = "   ".join(f"{part} {count} ({count / total:.1%})" for part, count in done.sizes.items())
    yield f"overlay {done.name}   {sizes}   {done.moved} moved"
    yield f"{done.groups} groups stay together, the largest of {done.largest} samples"


def balance_command(  # noqa: PLR0913 - one parameter an option
    dataset: LocalDataset,
    *,
    name: OverlayName,
    target: Annotated[
        str, typer.Option(help="uniform-yaw, or front-back=R: the front half R times as often as the back half.",
                          show_default=False)
    ],
    quality_min: Annotated[
        list[str] | None,
        typer.Option(help="Least value of a score, as blur=0.5 (repeatable).", metavar="SCORE=VALUE",
                     show_default="none"),
    ] = None,
    cap: Annotated[float, typer.Option(min=1.0, help="Largest weight of a sample; the mean is 1.")] = 5.0,
    subset: Annotated[
        int | None, typer.Option(min=1, help="Number of samples to choose, in place of weights.", show_default="none")
    ] = None,
    seed: Seed = 0,
    json: Json = None,
) -> None:  # fmt: skip
    """Even out yaw, pitch and head pose: a column of sampling weights, as an overlay."""
    from phq.curate.balance.balancing import balance, lines

    done = balance(dataset, target=target, name=name, quality_min=quality_min or (), cap=cap, subset=subset, seed=seed)
    report("balance", done, lines(done), json)
