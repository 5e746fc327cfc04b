"""`decide`: decide again from stored scores, and write the decision as an overlay. What ``phq decide`` does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from phq.decisions.decide import Decided, decide_dataset
from phq.decisions.overlay import applied_as, free_name, is_in_force
from phq.decisions.overlay import apply as write_decision
from phq.system.atomic import disk_errors_explained


@dataclass(frozen=True)
class Redecided:
    """A decision, and the overlay that it was written to."""

    decided: Decided
    overlay: str | None
    """None where none is written: in a dry run, or where nothing changes."""
    changed: int
    """Samples in the overlay."""


@disk_errors_explained
def decide(
    dataset: str | Path,
    *,
    preset: str | None = None,
    config: Path | None = None,
    sets: Sequence[str] = (),
    apply: bool = False,
    name: str | None = None,
    look: Callable[[Decided], object] | None = None,
) -> Redecided:
    """Decide again on every stored sample from its stored scores; no network runs, and no picture is read.

    Args:
        dataset: a folder.
        preset: see `phq.decisions.decide.decide_dataset`, as `config` and `sets`.
        config: TOML file over the preset.
        sets: ``key=value`` each.
        apply: write the decision as an overlay, unless it changes no row and the thresholds are those in force.
        name: name of that overlay, by default ``decide-N``.
        look: called with the decision before anything is written.

    Raises:
        ConfigError: see `phq.config.build.load_config`.
        InputError: no dataset, one of an older phq, one without a stored sample, or a name that cannot be used.
        OutputError: another overlay was put on the dataset meanwhile, or it cannot be written.
    """
    decided = decide_dataset(dataset, preset=preset, config=config, sets=sets)
    if look is not None:
        look(decided)
    if not apply:
        return Redecided(decided, None, 0)
    if name is None and (there := applied_as(decided)):  # a call that was killed at its end is repeated
        return Redecided(decided, there, 0)
    if is_in_force(decided):
        return Redecided(decided, None, 0)
    overlay = name or free_name(decided)
    return Redecided(decided, overlay, write_decision(decided, overlay))
