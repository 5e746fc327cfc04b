"""Packages that only some commands need, and that only an extra installs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from phq.errors import MissingExtraError

TRAIN = ("torch", "safetensors", "tensorboard", "skimage", "trimesh")
"""What the extra ``train`` adds and is imported when a module is."""


@contextmanager
def needs_train(purpose: str) -> Iterator[None]:
    """Around imports of modules that need the extra ``train``.

    Args:
        purpose: what needs it, such as ``phq train``.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name not in TRAIN:
            raise
        raise MissingExtraError(error.name, "train", purpose) from error
