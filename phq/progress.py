"""The progress bar of a plan: photos done, kept and rejected people, time left."""

from __future__ import annotations

from collections import Counter
from types import TracebackType

from tqdm import tqdm

from phq.unit import UnitResult


class Progress:
    """Counts units as they finish."""

    def __init__(self, photos: int, done: int, quiet: bool) -> None:
        self.kept, self.reasons = 0, Counter[str]()
        # mininterval 0: a unit takes seconds, and the last one must show
        self.bar = tqdm(total=photos, initial=done, unit="photo", disable=quiet, mininterval=0)

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.bar.close()

    def add(self, result: UnitResult) -> None:
        """One unit more. Thresholds decide at the end, so `kept` here are people who have an annotation."""
        self.kept += result.kept
        self.reasons += result.reasons
        self.bar.set_postfix(annotated=self.kept, rejected=self.reasons.total(), refresh=False)
        self.bar.update(result.photos)
