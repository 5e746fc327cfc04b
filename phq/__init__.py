"""phq: 360° portrait datasets, from raw photographs to annotated one-quarter headshots.

Every name here is what the command of that name does, or a class to read and annotate with; docs/api.md has an example
of each. Nothing heavy is imported until a name is used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from phq.errors import PhqError
from phq.system.version import __version__

if TYPE_CHECKING:
    from phq.building.build import build
    from phq.config.build import Config
    from phq.curate.annotate.annotating import annotate
    from phq.curate.annotate.provenance import annotate_from_sidecar
    from phq.curate.bake import bake
    from phq.curate.balance.balancing import balance
    from phq.curate.merge import merge
    from phq.curate.predictions.annotation import Predictions, annotate_from_predictions
    from phq.curate.redact import redact
    from phq.curate.same_person import find_person
    from phq.curate.split import split
    from phq.curate.verify.verify import verify
    from phq.dataset.loader import Loader
    from phq.dataset.reader import Dataset
    from phq.decisions.redecide import decide
    from phq.exchange.export import export_labels
    from phq.exchange.importing import import_labels
    from phq.exchange.publish.publishing import publish
    from phq.stages.annotator import Annotator
    from phq.view.report.reporting import report

__all__ = [
    "Annotator",
    "Config",
    "Dataset",
    "Loader",
    "PhqError",
    "Predictions",
    "__version__",
    "annotate",
    "annotate_from_predictions",
    "annotate_from_sidecar",
    "bake",
    "balance",
    "build",
    "decide",
    "export_labels",
    "find_person",
    "import_labels",
    "merge",
    "publish",
    "redact",
    "report",
    "split",
    "verify",
]

_LAZY = {
    "Annotator": "phq.stages.annotator",
    "Config": "phq.config.build",
    "Dataset": "phq.dataset.reader",
    "Loader": "phq.dataset.loader",
    "Predictions": "phq.curate.predictions.annotation",
    "annotate": "phq.curate.annotate.annotating",
    "annotate_from_predictions": "phq.curate.predictions.annotation",
    "annotate_from_sidecar": "phq.curate.annotate.provenance",
    "bake": "phq.curate.bake",
    "balance": "phq.curate.balance.balancing",
    "build": "phq.building.build",
    "decide": "phq.decisions.redecide",
    "export_labels": "phq.exchange.export",
    "find_person": "phq.curate.same_person",
    "import_labels": "phq.exchange.importing",
    "merge": "phq.curate.merge",
    "publish": "phq.exchange.publish.publishing",
    "redact": "phq.curate.redact",
    "report": "phq.view.report.reporting",
    "split": "phq.curate.split",
    "verify": "phq.curate.verify.verify",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'phq' has no attribute {name!r}")
    globals()[name] = found = getattr(import_module(_LAZY[name]), name)
    return found


def __dir__() -> list[str]:
    return sorted(__all__)
