"""Licences of weights that ask more of whoever uses them than to be named."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from phq.weights import Weight

PERMISSIVE = re.compile(r"(Apache-2\.0|MIT|BSD|CC0)\b")
"""How the licences begin that only ask to be named."""


def notices(weights: Iterable[Weight]) -> Iterator[str]:
    """A line for each file under any other licence: to be said before it is used."""
    for weight in weights:
        if not PERMISSIVE.match(weight.licence):
            yield f"licence of {weight.name} ({weight.purpose}): {weight.licence}"
