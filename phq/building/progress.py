"""The progress of a plan: on a terminal a bar and a line for each reason, elsewhere a plain line every ten seconds."""

from __future__ import annotations

import sys
import time
from collections import Counter
from types import TracebackType

from phq.building.unit import UnitResult
from phq.system.bars import PLAIN_EVERY_S, Bar, bar
from phq.system.memory import used_memory
from phq.system.sizes import size_text


class Progress:
    """Counts units as they finish.

    Thresholds are applied at the end of a build: some people counted as annotated here are rejected then.
    """

    def __init__(self, photos: int, done: int, quiet: bool) -> None:
        self.photos, self.done = photos, done
        self.people, self.kept, self.reasons = 0, 0, Counter[str]()
        self._start = self._printed = time.monotonic()
        self._before = self._told = done
        self._plain = not quiet and not sys.stderr.isatty()
        # mininterval 0: a unit takes seconds, and the last one must show
        self._bar = bar(total=photos, initial=done, unit="photo", quiet=quiet or self._plain, mininterval=0)
        self._lines: dict[str, Bar] = {}

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for line in reversed(self._lines.values()):
            line.close()
        self._bar.close()
        if self._plain and self._printed > self._start and self._told != self.done:
            self._print()

    def add(self, result: UnitResult) -> None:
        """One unit more."""
        self.done += result.photos
        self.kept += result.kept
        self.people += result.kept + sum(result.reasons.values())
        self.reasons += result.reasons
        self._bar.set_postfix_str(self._counts(), refresh=False)
        self._bar.update(result.photos)
        if not self._bar.disable:
            self._show_reasons()
        if self._plain and (time.monotonic() - self._printed > PLAIN_EVERY_S or self.done == self.photos):
            self._print()

    def remark(self, text: str) -> None:
        """A sentence about something unexpected, above the bar."""
        if self._plain:
            print(f"phq: {text}", file=sys.stderr, flush=True)
        elif not self._bar.disable:
            self._bar.write(f"phq: {text}", file=sys.stderr)

    @property
    def _elapsed(self) -> float:
        return max(time.monotonic() - self._start, 1e-3)

    def _counts(self) -> str:
        rejected = sum(self.reasons.values())
        speed = f"{self.people / self._elapsed:.2f} people/s"
        return f"{speed}, annotated {self.kept} (thresholds come last), rejected {rejected}"

    def _show_reasons(self) -> None:
        for reason, count in self.reasons.items():
            if reason not in self._lines:
                self._lines[reason] = Bar(bar_format="{desc}", position=len(self._lines) + 1, leave=True)
            self._lines[reason].set_description_str(f"  {count:6d}  {reason}")

    def _print(self) -> None:
        self._printed, self._told = time.monotonic(), self.done
        rate = (self.done - self._before) / self._elapsed
        left = Bar.format_interval((self.photos - self.done) / rate) if rate else "?"
        reasons = ", ".join(f"{reason} {count}" for reason, count in self.reasons.most_common())
        line = f"{self.done}/{self.photos} photos, {rate:.2f} photos/s, {self._counts()}, {left} left"
        if memory := used_memory():
            line += f", {size_text(memory)} memory"
        print(line + (f" ({reasons})" if reasons else ""), file=sys.stderr, flush=True)
