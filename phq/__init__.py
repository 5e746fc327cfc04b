"""phq: 360° portrait datasets, from raw photographs to annotated one-quarter headshots.

``from phq import build, Annotator, Dataset``: the first is what ``phq build`` does, the second annotates one person,
the third reads a dataset. Nothing heavy is imported until one of them is touched.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from phq.system.version import __version__

__all__ = ["Annotator", "Dataset", "__version__", "build"]

if TYPE_CHECKING:
    from phq.building.build import build
    from phq.dataset.reader import Dataset
    from phq.stages.annotator import Annotator

_LAZY = {"build": "phq.building.build", "Annotator": "phq.stages.annotator", "Dataset": "phq.dataset.reader"}


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'phq' has no attribute {name!r}")
