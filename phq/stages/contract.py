"""The contract that every stage keeps."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from phq.people.person import Photo
from phq.system.resources import Resources, together


class Stage(Protocol):
    """`setup` once a worker (loads weights), then `process` for every batch, changing it in place.

    Every stage is retry-safe: the same batch again gives the same result, and nothing is written anywhere. A stage
    that needs more than a core states it in an attribute ``wants``, a `phq.system.resources.Resources`.
    """

    name: str

    def setup(self) -> None:
        """Load what the stage needs; called once in each worker, never at import."""

    def process(self, photos: list[Photo]) -> None:
        """Work on a batch of photos and their living people, in place."""


def wanted(chain: Iterable[Stage]) -> Resources:
    """Resources of a worker that runs these stages."""
    return together(getattr(stage, "wants", Resources()) for stage in chain)
