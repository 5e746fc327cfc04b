"""Marks of reviewers: a pure fold of the actions in the log."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from phq.errors import InputError
from phq.reasons import FLIPPED
from phq.reasons import REVIEW_REASON_NAMES as REASON_NAMES

MOST_KEYS = 10_000
"""Most samples of one action."""
_LONGEST_NAME = 64
KEEP, REJECT, FLIP = "keep", "reject", "flip"
MARKS = (KEEP, REJECT, FLIP)


@dataclass(frozen=True)
class Action:
    """An action of a reviewer: marking some samples, or undoing such an action."""

    seq: int
    """Number of the action; grows along the log, with gaps where a redaction took an action out."""
    time: str
    """Time, ISO 8601 in UTC."""
    reviewer: str
    mark: str = ""
    """One of `phq.dataset.marks.MARKS`; '' if this undoes an action."""
    reason: str = ""
    """Name of the reason of a reject."""
    keys: tuple[str, ...] = ()
    undo: int = 0
    """Number of the action that is undone, 0 if none is."""

    def checked(self) -> Action:
        """This action.

        Raises:
            InputError: a reviewer, mark, reason or number of samples that is not allowed.
        """
        _check_reviewer(self.reviewer)
        if self.undo:
            return self
        if self.mark not in MARKS:
            raise InputError(f"{self.mark!r} is not a mark; there are: {', '.join(MARKS)}")
        if (self.mark == REJECT) != (self.reason in REASON_NAMES) or (self.mark != REJECT and self.reason):
            raise InputError(f"{self.reason!r} is not a reason of a {self.mark}; a reject has one of: {REASON_NAMES}")
        if not 0 < len(self.keys) <= MOST_KEYS or len(set(self.keys)) < len(self.keys):
            raise InputError(f"{len(self.keys)} samples in one mark: at least one, at most {MOST_KEYS}, each once")
        return self

    @property
    def decision(self) -> str:
        """``kept`` or ``rejected``: the decision that follows from the mark."""
        return "kept" if self.mark == KEEP else "rejected"

    @property
    def stored_reason(self) -> str:
        """Value of the column ``reason``."""
        return FLIPPED.name if self.mark == FLIP else self.reason


def _check_reviewer(name: str) -> None:
    if not 0 < len(name) <= _LONGEST_NAME or not name.isprintable() or name != name.strip():
        raise InputError(f"a reviewer cannot be called {name!r}: 1 to {_LONGEST_NAME} printable characters")


class Marks:
    """Marks after a sequence of actions. A reviewer's newest mark of a sample is that reviewer's opinion."""

    def __init__(self, actions: Iterable[Action] = ()) -> None:
        self.seq = 0
        """Number of the last action."""
        self.time = ""
        """Time of the last action."""
        self._actions: dict[int, Action] = {}
        self._done: dict[str, list[int]] = defaultdict(list)
        self._stacks: dict[str, dict[str, tuple[Action, ...]]] = {}  # replaced, not changed: other threads read them
        self._touched: dict[str, int] = {}
        self._counts: Counter[str] = Counter()
        for action in actions:
            self.apply(action)

    def __len__(self) -> int:
        """Number of marked samples."""
        return len(self._stacks)

    def __contains__(self, key: object) -> bool:
        return key in self._stacks

    @property
    def keys(self) -> list[str]:
        """Keys of the marked samples, sorted."""
        return sorted(self._stacks)

    @property
    def reviewers(self) -> list[str]:
        """Reviewers with marks in force, sorted."""
        return sorted({name for stacks in list(self._stacks.values()) for name in stacks})

    def apply(self, action: Action) -> tuple[str, ...]:
        """Apply the next action and return the keys that it touches; undoing an unknown action touches none."""
        self.seq, self.time = action.seq, action.time
        if action.undo:
            return self._undo(action)
        self._actions[action.seq] = action
        self._done[action.reviewer].append(action.seq)
        for key in action.keys:
            self._count(key, -1)
            stacks = self._stacks.get(key, {})
            self._stacks[key] = stacks | {action.reviewer: (*stacks.get(action.reviewer, ()), action)}
            self._count(key, 1)
            self._touched[key] = action.seq
        return action.keys

    def _count(self, key: str, step: int) -> None:
        if verdict := self.verdict(key):
            self._counts[verdict.mark] += step

    def _undo(self, undo: Action) -> tuple[str, ...]:
        action = self._actions.pop(undo.undo, None)
        if action is None:
            return ()
        self._done[action.reviewer].remove(action.seq)
        for key in action.keys:
            self._count(key, -1)
            stacks = dict(self._stacks.pop(key))
            left = tuple(other for other in stacks.pop(action.reviewer) if other is not action)
            if left:
                stacks[action.reviewer] = left
            if stacks:
                self._stacks[key] = stacks
            self._count(key, 1)
            self._touched[key] = undo.seq
        return action.keys

    def last_of(self, reviewer: str) -> Action | None:
        """The newest action of a reviewer that is not undone."""
        done = self._done.get(reviewer)
        return self._actions[done[-1]] if done else None

    def opinions(self, key: str) -> list[Action]:
        """The newest mark of each reviewer of a sample, oldest first."""
        stacks = self._stacks.get(key, {})
        return sorted((stack[-1] for stack in stacks.values()), key=lambda action: action.seq)

    def verdict(self, key: str) -> Action | None:
        """The mark in force of a sample: the newest opinion of any reviewer."""
        opinions = self.opinions(key)
        return opinions[-1] if opinions else None

    def agrees(self, key: str) -> bool:
        """Whether all reviewers of a sample gave it the same mark."""
        return len({action.mark for action in self.opinions(key)}) <= 1

    def touched_since(self, seq: int = 0) -> list[str]:
        """Samples whose marks changed after action number `seq`."""
        return [key for key, last in list(self._touched.items()) if last > seq]

    def counts(self) -> dict[str, int]:
        """Number of samples by the mark in force."""
        return {mark: self._counts[mark] for mark in MARKS}


def is_time(text: str) -> bool:
    """Whether a text is a time in ISO 8601."""
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True
