"""Progress bars, one kind for all long work: how far it is, how long it takes still, and the memory that it holds."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterable
from typing import Any

from tqdm import TqdmExperimentalWarning

from phq.system.memory import used_memory
from phq.system.sizes import size_text

with warnings.catch_warnings():  # in a notebook it says that it is one
    warnings.simplefilter("ignore", TqdmExperimentalWarning)
    from tqdm.autonotebook import tqdm  # tqdm.auto loads asyncio besides

PLAIN_EVERY_S = 10.0
"""Seconds between lines where the standard error is not a terminal."""


class Bar(tqdm):  # type: ignore[misc]
    """tqdm's own bar, whose postfix ends with `phq.system.memory.used_memory`."""

    @property
    def format_dict(self) -> dict[str, Any]:
        """What the line is made of."""
        found: dict[str, Any] = super().format_dict
        memory = used_memory()
        said = [found.get("postfix") or "", f"{size_text(memory)} memory" if memory else ""]
        return found | {"postfix": ", ".join(filter(None, said)) or None}


def bar(
    items: Iterable[Any] | None = None, *, total: float | None = None, unit: str, desc: str = "", quiet: bool = True,
    **options: Any,
) -> Any:  # fmt: skip
    """A progress bar, to iterate over or to `update`; on a terminal or in a notebook it moves, elsewhere it is a line
    every `PLAIN_EVERY_S`.

    Args:
        items: what is counted as it is taken; None where `update` counts.
        total: number of units, if `items` do not tell.
        unit: what is counted, such as ``shard``; ``B`` is counted in kB, MB and GB.
        desc: what is done, in a word.
        quiet: show nothing.
        **options: others of tqdm.
    """
    plain = {} if sys.stderr.isatty() else {"mininterval": PLAIN_EVERY_S}
    shown = {"unit": unit, "unit_scale": unit == "B", "desc": desc or None, "disable": quiet, **plain, **options}
    return Bar(items, total=total, **shown)
