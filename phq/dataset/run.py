"""``run.json``: how a dataset was made, in one shape for every command, and which overlays are in force."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from phq.dataset.folder import RUN
from phq.dataset.root import Root
from phq.errors import InputError
from phq.schema import SCHEMA_VERSION
from phq.system.kernels import kernels
from phq.system.version import __version__
from phq.weights.embedded import Weight

if TYPE_CHECKING:  # readers of a dataset need no settings, whose import takes a tenth of a second
    from phq.config.build import Config

COUNTS = ("photos", "people", "kept", "rejected")
"""Counts in every record; ``rejected`` is by reason."""
_OF_THE_FOLDER = ("schema_version", "overlays", "bases", "card")
"""Keys of a record that mean nothing beside another dataset's files."""


def run_record(  # noqa: PLR0913 - the keys of the record
    command: str,
    counts: Mapping[str, Any],
    *,
    config: Config | Mapping[str, Any] | None = None,
    weights: Iterable[Weight | Mapping[str, Any]] = (),
    plan: str = "",
    sidecar: Mapping[str, Any] | None = None,
    seconds: Mapping[str, float] | None = None,
    overlays: Sequence[str] = (),
    sources: Iterable[Mapping[str, Any]] = (),
    details: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Content of ``run.json``, all but the card, which the writer of the dataset adds.

    Args:
        command: that made the dataset, as it is typed: ``build``, ``import``, ``merge``, ``bake``, ``synth``.
        counts: at least `COUNTS`.
        config: settings of the samples; None if they were made with several.
        weights: networks and body models, each with at least name, sha256, licence, source and purpose.
        plan: id of the plan, by which an interrupted run is continued; "" without one.
        sidecar: see `phq.dataset.sidecar.sidecar_record`.
        seconds: time of each stage, summed over the processes, and the total as ``wall``. Left out where equal
            inputs are to give equal bytes.
        overlays: names of the overlays in force, see `phq.dataset.overlays`.
        sources: records of the datasets that this one was made from, see `source_record`.
        details: what only this command has to state.

    Raises:
        ValueError: a count is missing.
    """
    if missing := [name for name in COUNTS if name not in counts]:
        raise ValueError(f"the record of {command} lacks the counts {', '.join(missing)}")
    settings = config if config is None or isinstance(config, Mapping) else config.model_dump(mode="json")
    return {
        "schema_version": SCHEMA_VERSION,
        "version": __version__,
        "python": sys.version.split()[0],
        "kernels": kernels(),
        "command": command,
        "config": settings,
        "seed": settings.get("seed") if settings else None,
        "weights": _each_once(weights),
        "counts": dict(counts),
        "seconds": {name: round(value, 3) for name, value in sorted((seconds or {}).items())},
        "plan": plan,
        "sidecar": dict(sidecar or {}),
        "overlays": list(overlays),
        "sources": list(sources),
        "details": dict(details or {}),
    }


def _each_once(weights: Iterable[Weight | Mapping[str, Any]]) -> list[dict[str, Any]]:
    entries = [vars(weight) if isinstance(weight, Weight) else dict(weight) for weight in weights]
    return list({json.dumps(entry, sort_keys=True): entry for entry in entries}.values())


def source_record(run: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """What a record keeps of the dataset that it was made from.

    Args:
        run: content of that dataset's ``run.json``.
        **more: further keys, such as its name.
    """
    return {name: value for name, value in run.items() if name not in _OF_THE_FOLDER} | more


def first_command(run: Mapping[str, Any]) -> str:
    """The command that made the samples: bakes, which only apply overlays, are passed over; "" if it is not stated."""
    while run.get("command") == "bake" and run.get("sources"):
        run = run["sources"][0]
    return str(run.get("command", ""))


def read_run(root: Root) -> dict[str, Any]:
    """Content of ``run.json``.

    Raises:
        InputError: it is missing, cannot be read or is damaged.
    """
    try:
        run = json.loads(root.read(RUN))
    except ValueError as error:
        raise InputError(f"{RUN} of {root.where} is damaged: {error}") from error
    if not isinstance(run, dict):
        raise InputError(f"{RUN} of {root.where} is damaged: it is not a JSON object")
    return run
