"""Arrow without pandas."""

from __future__ import annotations

import sys
from importlib.abc import MetaPathFinder
from typing import Any


class _Absent(MetaPathFinder):
    """Finds no pandas."""

    def find_spec(self, name: str, *_: Any) -> None:
        """Raise what importing a package that is not installed raises."""
        if name == "pandas":
            raise ModuleNotFoundError("not needed here", name=name)


def without_pandas() -> None:
    """Let Arrow of this process believe that pandas is not installed, unless it has been imported.

    Arrow imports it at the first conversion of a Python object, to see whether that is a series: a third of a second.
    For processes of phq's own alone: Arrow no longer recognises pandas' objects afterwards (``to_pandas`` works).
    """
    if "pandas" in sys.modules:
        return
    import pyarrow as pa

    absent = _Absent()
    sys.meta_path.insert(0, absent)
    try:
        pa.array([])
    finally:
        sys.meta_path.remove(absent)
