"""Scripts that start workers without ``if __name__ == "__main__":``.

A spawned process first runs the script that started it; without that guard it arrives at the same call again.
"""

from __future__ import annotations

from phq.errors import ConfigError

UNGUARDED = 79
"""Exit code of a worker that arrived at the call that had started it."""


class UnguardedError(ConfigError):
    """A script lacks its guard."""

    def __init__(self) -> None:
        super().__init__(
            'a script that starts workers needs the line  if __name__ == "__main__":  with this call indented below '
            "it; or pass workers=1"
        )


def end_unguarded_worker() -> None:
    """End this process without a word if it is a worker that still runs the user's script; its parent tells why.

    Raises:
        SystemExit: with `UNGUARDED`.
    """
    import multiprocessing  # not for --help

    # the sign by which multiprocessing itself refuses to start processes from such a script
    if getattr(multiprocessing.current_process(), "_inheriting", False):
        raise SystemExit(UNGUARDED)
