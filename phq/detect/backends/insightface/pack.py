"""A model pack of insightface on the disk: which of its files does what."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from phq.errors import MissingExtraError, WeightError
from phq.weights.catalogue import remote, remotes
from phq.weights.digest import sha256_once
from phq.weights.embedded import Weight
from phq.weights.packs import pack_folder

DEFAULT = "buffalo_l"
LICENCE = "unknown; InsightFace's own models: non-commercial research only"
SCRFD_OUTPUTS = 9
"""Scores, boxes and points at three strides."""
ARCFACE_SIDE = 112
TASKS = {"detection": "face boxes with five points (SCRFD)", "recognition": "identity embeddings (ArcFace)"}


def model_zoo() -> Any:
    """``insightface.model_zoo``.

    Raises:
        MissingExtraError: the package is not installed.
    """
    try:
        from insightface import model_zoo as zoo
    except ImportError as error:
        raise MissingExtraError("insightface", "insightface", "a model pack of insightface") from error
    return zoo


def folder_of(weights: str) -> Path:
    """The folder with a pack's files: that of a path, or of a pulled name of ``phq weights list``.

    Raises:
        WeightError: neither; or see `phq.weights.packs.pack_folder`.
    """
    name = weights or DEFAULT
    if Path(name).is_dir():
        return Path(name)
    if name not in remotes() and {"/", "\\"} & set(name):
        raise WeightError(f"{name} is not a folder with a model pack of insightface")
    return pack_folder(name)


def file_of(weights: str, task: str) -> Path:
    """The first file of a pack, by name, that does a task of `TASKS`.

    Raises:
        MissingExtraError: the package is not installed.
        WeightError: see `folder_of`; or the pack has no such file.
    """
    model_zoo()
    folder = folder_of(weights)
    for path in sorted(folder.rglob("*.onnx")):
        if task_of(path) == task:
            return path
    raise WeightError(f"the model pack {weights or DEFAULT} has no network for {TASKS[task]}")


@cache
def task_of(path: Path) -> str:
    """What a network does, by the shapes of what goes in and comes out, as insightface itself tells; '' if neither.

    Raises:
        WeightError: it cannot be read.
    """
    import onnx

    try:
        graph = onnx.load_model(str(path), load_external_data=False).graph
        shape = [dim.dim_value for dim in graph.input[0].type.tensor_type.shape.dim]
    except Exception as error:
        raise WeightError(f"{path} cannot be read as an ONNX network: {error}") from error
    if len(graph.output) == SCRFD_OUTPUTS:
        return "detection"
    return "recognition" if shape[1:] == [3, ARCFACE_SIDE, ARCFACE_SIDE] and len(graph.output) == 1 else ""


def weight_of(weights: str, task: str) -> Weight:
    """The file that does a task, with licence and source.

    Raises:
        MissingExtraError: see `file_of`.
        WeightError: see `file_of`.
    """
    path, name = file_of(weights, task), weights or DEFAULT
    known = remote(name) if name in remotes() and not Path(name).is_dir() else None
    licence, source = (known.licence, known.source) if known else (LICENCE, "a folder of the user's")
    called = f"insightface {known.name if known else folder_of(name).resolve().name}"
    return Weight(called, path.name, sha256_once(path), path.stat().st_size, licence, source, TASKS[task])
