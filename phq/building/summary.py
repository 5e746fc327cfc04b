"""The report at the end of a build: counts, reasons, yaw histogram, licences, and where to look."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from phq.dataset.card import YAW_SECTORS
from phq.dataset.folder import SHEET
from phq.reasons import REASONS, RULES
from phq.weights.licences import model_lines

if TYPE_CHECKING:
    from phq.building.build import BuildResult
    from phq.dataset.sidecar import Coverage

BAR = 30


def summary(result: BuildResult) -> str:
    """Text for the terminal."""
    return "\n".join(_lines(result))


def _lines(result: BuildResult) -> Iterator[str]:
    reasons = Counter(result.counts["rejected"])
    counts = f"people {result.counts['people']}   kept {result.counts['kept']}   rejected {reasons.total()}"
    yield f"photos {result.photos}   {counts}"
    yield from result.differs.sentences()
    yield from _reasons(reasons)
    yield from _yaws(result.sectors)
    yield from _sidecar(result.coverage)
    if result.samples:
        yield "\nmodels that touched this dataset"
        yield from model_lines(result.models)
    elif reasons:
        yield "\nnothing was kept, for the reasons above; --preset everything, into another folder, keeps all people"
    else:
        yield "\nnothing was kept: nobody was found in the photos"
    yield f"\nshards, manifest and card   {result.out}"
    yield f"contact sheet               {result.out / SHEET}"


def _reasons(counts: Counter[str]) -> Iterator[str]:
    if not counts:
        return
    texts = {r.name: r.text for r in REASONS} | {r.reason: r.text for r in RULES}
    yield "\nrejects by reason"
    for reason, count in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
        yield f"  {count:6d}  {reason:<18} {texts[reason]}"


def _sidecar(met: Coverage | None) -> Iterator[str]:
    if met:
        yield ""
        yield from met.sentences()


def _yaws(counts: list[int]) -> Iterator[str]:
    if not any(counts):
        return
    yield "\nwhat the camera sees, by its yaw about the torso (± 22.5°)"
    for (centre, name), count in zip(YAW_SECTORS, counts, strict=True):
        yield f"  {centre:>5}°  {name:<24} {count:6d}  {'█' * round(BAR * count / max(counts))}"
