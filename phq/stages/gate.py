"""Stage: people whose scores so far already break a threshold go no further."""

from __future__ import annotations

from collections.abc import Mapping

from phq.decisions.rules import decide, scores_of
from phq.people.person import Photo, living
from phq.people.record import NearestThreshold


class Gate:
    """The same decision as at the end, over the scores made so far; rejects keep them."""

    name = "gate"

    def __init__(self, thresholds: Mapping[str, float]) -> None:
        self.thresholds = thresholds

    def setup(self) -> None:
        """Nothing to load."""

    def process(self, photos: list[Photo]) -> None:
        """Every living person."""
        for person in living(photos):
            decision = decide(scores_of(person.photo.record() | person.record()), self.thresholds)
            if decision.decision == "rejected":
                person.reject(decision.reason, decision.detail)
                person.nearest = NearestThreshold(decision.score_name, decision.threshold, decision.margin)
