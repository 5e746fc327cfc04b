"""The package ultralytics, imported so that it stays quiet: no settings in the user's home, no connection, no installs.

It reads its environment variables while it is imported, and changes things of other packages by the way. Here the
variables stand for that time only, its folder of settings is one that is gone afterwards, and what it changes is
changed back. A package that the user has imported before keeps the user's settings.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

from phq.errors import MissingExtraError

QUIET = {
    "YOLO_OFFLINE": "true",  # no telemetry, no downloads
    "YOLO_AUTOINSTALL": "false",
    "YOLO_VERBOSE": "false",
    "ULTRALYTICS_SAFE_LOAD": "false",  # it would let PyTorch's restricted reader make its classes for the whole process
}
FOLDER = "YOLO_CONFIG_DIR"


def check_installed() -> None:
    """Cheap: nothing is imported.

    Raises:
        MissingExtraError: ultralytics is not there.
    """
    if find_spec("ultralytics") is None:
        raise MissingExtraError("ultralytics", "yolo", "the back end yolo")


def yolo_class() -> Any:
    """``ultralytics.YOLO``.

    Raises:
        MissingExtraError: ultralytics is not there.
    """
    check_installed()
    if "ultralytics" in sys.modules:
        from ultralytics import YOLO

        return YOLO
    with quietly():
        from ultralytics import YOLO
        from ultralytics.utils import JSONDict

        JSONDict._save = lambda self: None  # settings and a cache, which would make their folder again
        return YOLO


@contextmanager
def quietly() -> Iterator[None]:
    """A block in which ultralytics may be imported for the first time."""
    import numpy as np
    from PIL import Image

    opening = Image.open  # theirs looks for a HEIF package when it does not know a file, and installs it
    before = {name: os.environ.get(name) for name in (*QUIET, FOLDER)}
    try:
        with np.printoptions(), tempfile.TemporaryDirectory(prefix="phq-yolo-") as folder:
            os.environ.update(QUIET | {FOLDER: folder})
            yield
    finally:
        Image.open = opening
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value
