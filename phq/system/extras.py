"""Packages of extras, which only some commands need."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from phq.errors import MissingExtraError

TRAIN = ("torch", "safetensors", "tensorboard", "skimage", "trimesh")
"""Packages of the extra ``train`` that modules import at the top."""


@contextmanager
def needs_train(purpose: str) -> Iterator[None]:
    """Turn a failed import of a module that needs the extra ``train`` into a `MissingExtraError`.

    Args:
        purpose: what needs it, as the message names it, such as ``phq gan train``.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name not in TRAIN:
            raise
        raise MissingExtraError(error.name, "train", purpose) from error
