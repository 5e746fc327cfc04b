"""Licences of weights that ask for more than attribution."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from phq.weights.embedded import Weight

PERMISSIVE = re.compile(r"(Apache-2\.0|MIT|BSD|CC0)\b")
"""Beginnings of the licences that ask for attribution only."""


def notices(weights: Iterable[Weight]) -> Iterator[str]:
    """A line for each file under any other licence, to be shown before the file is used."""
    for weight in weights:
        if not PERMISSIVE.match(weight.licence):
            yield f"licence of {weight.name} ({weight.purpose}): {weight.licence}"


@dataclass(frozen=True)
class Model:
    """A network or body model that touched the dataset."""

    name: str
    purpose: str
    licence: str
    source: str


def model_lines(models: Sequence[Model]) -> Iterator[str]:
    """Models with their licences, in columns, for a terminal."""
    name, licence = (max((len(getattr(m, field)) for m in models), default=0) for field in ("name", "licence"))
    for model in models:
        yield f"  {model.name:<{name}}  {model.licence:<{licence}}  {model.purpose}"
