"""MediaPipe itself: opened quietly, run on one picture at a time, and kept from calling home."""

from __future__ import annotations

import ctypes
import os
import sys
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from phq.detect.backends.mediapipe.task_file import missing
from phq.errors import WeightError
from phq.system.arrays import Floats, Image
from phq.weights.devices import chosen_device

NOWHERE = "http://127.0.0.1:9"
"""A proxy that refuses every connection (the port of the discard service)."""


@dataclass(frozen=True)
class Pose:
    """One person as MediaPipe returns it."""

    points: Floats
    """(33, 2) pixels of the picture."""
    world: Floats
    """(33, 3) metres, hip-centre origin, the picture's axes: x right, y down, z away."""
    visibility: Floats
    """(33,) in 0..1: not hidden."""
    presence: Floats
    """(33,) in 0..1: inside the region that the network looked at."""
    mask: NDArray[np.float32]
    """H × W soft mask of this person, 0..1."""


class PoseLandmarker:
    """MediaPipe's task of that name in its image mode: no tracking, every picture is looked at afresh.

    Its detector places the regions; neither its scores nor the regions are given away. It runs on the process's
    device (`phq.weights.devices`): MediaPipe knows the CPU and one GPU, whatever its kind and number.

    Args:
        people: at most so many a picture.
        detection, presence: least confidence of its detector, and of its landmark network that a person is there.
        changed: makes the bundle that is opened of that in the file.

    Raises:
        MissingExtraError: no package mediapipe.
        WeightError: MediaPipe cannot read the file, or cannot start its GPU.
    """

    def __init__(
        self, path: Path, people: int, detection: float, presence: float, changed: Callable[[Path], bytes] | None = None
    ) -> None:
        vision, self._image, base = _package()
        device = chosen_device()
        delegate = base.Delegate.CPU if device.kind == "cpu" else base.Delegate.GPU
        content = changed(path) if changed else path.read_bytes()
        options = vision.PoseLandmarkerOptions(
            base_options=base(model_asset_buffer=content, delegate=delegate),
            running_mode=vision.RunningMode.IMAGE,
            num_poses=people,
            min_pose_detection_confidence=detection,
            min_pose_presence_confidence=presence,
            output_segmentation_masks=True,
        )
        _keep_metrics_home()
        try:
            with _silence():
                self._task = vision.PoseLandmarker.create_from_options(options)
        except OSError as error:
            raise WeightError(f"{error}: MediaPipe's library needs it (Debian: libegl1, libgles2)") from error
        except (RuntimeError, ValueError, NotImplementedError) as error:
            where = "" if device.kind == "cpu" else f" on its GPU (--device {device}; --device cpu runs without)"
            raise WeightError(f"MediaPipe cannot open {path.name}{where}: {error}") from error
        weakref.finalize(self, _close, self._task)

    def look(self, pixels: Image) -> list[Pose]:
        """The people of an H × W × 3 RGB picture, in MediaPipe's order."""
        height, width = pixels.shape[:2]
        data = np.ascontiguousarray(pixels)
        with _silence():
            seen = self._task.detect(self._image.Image(image_format=self._image.ImageFormat.SRGB, data=data))
        parts = zip(seen.pose_landmarks, seen.pose_world_landmarks, seen.segmentation_masks or (), strict=True)
        return [_pose(*part, width, height) for part in parts]


def _pose(points: list[Any], world: list[Any], mask: Any, width: int, height: int) -> Pose:
    table = np.array([[p.x * width, p.y * height, p.visibility, p.presence] for p in points], float)
    metres = np.array([[p.x, p.y, p.z] for p in world], float)
    soft = np.array(mask.numpy_view(), np.float32).reshape(height, width)  # a copy: the view dies with the result
    return Pose(table[:, :2], metres, table[:, 2], table[:, 3], soft)


def _package() -> tuple[Any, Any, Any]:
    """Modules ``vision`` and ``mediapipe`` and the class of base options."""
    try:
        import mediapipe
        from mediapipe.tasks.python import vision
        from mediapipe.tasks.python.core.base_options import BaseOptions
    except ImportError as error:
        if error.name is not None and error.name.split(".")[0] == "mediapipe":
            raise missing() from error
        raise WeightError(f"the package mediapipe is installed but cannot be loaded: {error}") from error
    return vision, mediapipe, BaseOptions


def _close(task: Any) -> None:
    try:
        with _silence():
            task.close()
    except RuntimeError:  # the interpreter ends and has stopped MediaPipe's thread: its destructor would fail as well
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(task))


def _keep_metrics_home() -> None:
    """Let MediaPipe's library, and nothing written in Python, believe in a proxy that leads nowhere.

    From 1.0 on it sends figures on its use to Google and has no switch for that. The library asks the process's
    environment; Python code looks at ``os.environ``, a copy, which stays as it is.
    """
    for name in ("https_proxy", "no_proxy", "NO_PROXY"):
        value = NOWHERE if name == "https_proxy" else ""
        if sys.platform == "win32":
            ctypes.windll.kernel32.SetEnvironmentVariableA(name.encode(), value.encode() or None)
        else:
            ctypes.CDLL(None).setenv(name.encode(), value.encode(), 1)


@contextmanager
def _silence() -> Iterator[None]:
    """Drop what is written to standard error beneath Python: TensorFlow Lite and Abseil know no other switch."""
    sys.stderr.flush()
    kept, nothing = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nothing)
