"""Marks and tags of reviewers: a pure fold of the actions in the log."""

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
TAG, UNTAG = "tag", "untag"
TAGS_JOINED_BY = ";"
"""Between the tags of a sample in the column ``tags``."""


@dataclass(frozen=True)
class Action:
    """An action of a reviewer: marking or tagging some samples, or undoing such an action."""

    seq: int
    """Number of the action; grows along the log, with gaps where a redaction took an action out."""
    time: str
    """Time, ISO 8601 in UTC."""
    reviewer: str
    mark: str = ""
    """One of `phq.dataset.marks.MARKS`, `TAG` or `UNTAG`; '' if this undoes an action."""
    reason: str = ""
    """Name of the reason of a reject."""
    keys: tuple[str, ...] = ()
    undo: int = 0
    """Number of the action that is undone, 0 if none is."""
    tag: str = ""
    """The tag that the samples get (`TAG`) or lose (`UNTAG`)."""
    redo: int = 0
    """Number of the undone action that this one repeats, 0 if it is a new one."""

    def checked(self) -> Action:
        """This action.

        Raises:
            InputError: a reviewer, mark, reason, tag or number of samples that is not allowed.
        """
        _check_name(self.reviewer, "a reviewer")
        if self.undo:
            return self
        if self.mark not in (*MARKS, TAG, UNTAG):
            raise InputError(f"{self.mark!r} is not a mark; there are: {', '.join((*MARKS, TAG, UNTAG))}")
        if self.is_tag:
            _check_name(self.tag, "a tag", TAGS_JOINED_BY)
        elif self.tag:
            raise InputError(f"a {self.mark} has no tag")
        if (self.mark == REJECT) != (self.reason in REASON_NAMES) or (self.mark != REJECT and self.reason):
            raise InputError(f"{self.reason!r} is not a reason of a {self.mark}; a reject has one of: {REASON_NAMES}")
        if not 0 < len(self.keys) <= MOST_KEYS or len(set(self.keys)) < len(self.keys):
            raise InputError(f"{len(self.keys)} samples in one mark: at least one, at most {MOST_KEYS}, each once")
        return self

    @property
    def is_tag(self) -> bool:
        """Whether this gives or takes a tag, and is not an opinion."""
        return self.mark in (TAG, UNTAG)

    @property
    def decision(self) -> str:
        """``kept`` or ``rejected``: the decision that follows from the mark."""
        return "kept" if self.mark == KEEP else "rejected"

    @property
    def stored_reason(self) -> str:
        """Value of the column ``reason``."""
        return FLIPPED.name if self.mark == FLIP else self.reason


def _check_name(name: str, of: str, without: str = "") -> None:
    if not 0 < len(name) <= _LONGEST_NAME or not name.isprintable() or name != name.strip() or set(name) & set(without):
        also = f", none of them {without!r}" if without else ""
        raise InputError(f"{of} cannot be called {name!r}: 1 to {_LONGEST_NAME} printable characters{also}")


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
        self._tags: dict[str, dict[str, tuple[Action, ...]]] = {}  # by key and tag, in the same way
        self._undone: dict[str, list[Action]] = defaultdict(list)
        self._touched: dict[str, int] = {}
        self._counts: Counter[str] = Counter()
        self._tag_counts: Counter[str] = Counter()
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
        undone = self._undone[action.reviewer]
        if action.undo:
            return self._undo(action)
        if not action.redo:
            undone.clear()
        elif undone:
            undone.pop()
        self._actions[action.seq] = action
        self._done[action.reviewer].append(action.seq)
        for key in action.keys:
            self._put(key, action)
            self._touched[key] = action.seq
        return action.keys

    def _undo(self, undo: Action) -> tuple[str, ...]:
        action = self._actions.pop(undo.undo, None)
        if action is None:
            return ()
        self._done[action.reviewer].remove(action.seq)
        self._undone[action.reviewer].append(action)
        for key in action.keys:
            self._take(key, action)
            self._touched[key] = undo.seq
        return action.keys

    def _put(self, key: str, action: Action) -> None:
        of, name = self._stacks_of(action)
        self._count(key, action.tag, -1)
        stacks = of.get(key, {})
        of[key] = stacks | {name: (*stacks.get(name, ()), action)}
        self._count(key, action.tag, 1)

    def _take(self, key: str, action: Action) -> None:
        of, name = self._stacks_of(action)
        self._count(key, action.tag, -1)
        stacks = dict(of.pop(key))
        if left := tuple(other for other in stacks.pop(name) if other is not action):
            stacks[name] = left
        if stacks:
            of[key] = stacks
        self._count(key, action.tag, 1)

    def _stacks_of(self, action: Action) -> tuple[dict[str, dict[str, tuple[Action, ...]]], str]:
        """The stacks that an action is on: one a sample and reviewer, or one a sample and tag."""
        return (self._tags, action.tag) if action.is_tag else (self._stacks, action.reviewer)

    def _count(self, key: str, tag: str, step: int) -> None:
        if tag:
            self._tag_counts[tag] += step * self.has_tag(key, tag)
        elif verdict := self.verdict(key):
            self._counts[verdict.mark] += step

    def last_of(self, reviewer: str) -> Action | None:
        """The newest action of a reviewer that is not undone."""
        done = self._done.get(reviewer)
        return self._actions[done[-1]] if done else None

    def undone_of(self, reviewer: str) -> Action | None:
        """The action that the reviewer has undone last, and after which nothing new was done."""
        undone = self._undone.get(reviewer)
        return undone[-1] if undone else None

    def has_tag(self, key: str, tag: str) -> bool:
        """Whether a sample has a tag: whoever gave or took it last decides."""
        stack = self._tags.get(key, {}).get(tag)
        return stack is not None and stack[-1].mark == TAG

    def tags(self, key: str) -> list[str]:
        """Tags of a sample, sorted."""
        return sorted(tag for tag in self._tags.get(key, ()) if self.has_tag(key, tag))

    def tagged(self, tag: str) -> list[str]:
        """Samples that have a tag."""
        return [key for key in list(self._tags) if self.has_tag(key, tag)]

    def tag_counts(self) -> dict[str, int]:
        """Number of samples by tag, most frequent first."""
        return dict(sorted(((t, n) for t, n in self._tag_counts.items() if n), key=lambda pair: (-pair[1], pair[0])))

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
