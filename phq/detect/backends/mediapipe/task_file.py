"""The ``.task`` file of a Pose Landmarker that a MediaPipe back end loads, by its spec in the configuration."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from zipfile import BadZipFile, ZipFile

from phq.errors import MissingExtraError, WeightError
from phq.system.resources import Resources
from phq.weights.catalogue import remotes
from phq.weights.digest import sha256_once
from phq.weights.embedded import Weight
from phq.weights.store import weights_path

DEFAULT = "mediapipe-pose-full"
"""The weights that are meant where none are named; of the three sizes the one that Google's own examples take."""
MEMBERS = {"pose_detector.tflite", "pose_landmarks_detector.tflite"}
LICENCE = "Apache-2.0"


def task_path(weights: str) -> Path:
    """The file that a spec names: a name of ``phq weights list``, '' for `DEFAULT`, or else a path.

    Raises:
        WeightError: no such file, weights that are not pulled, or a file that is not a Pose Landmarker.
    """
    name = weights or DEFAULT
    path = weights_path(name) if name in remotes() else Path(name).expanduser()
    if not path.is_file():
        known = ", ".join(known for known in remotes() if known.startswith("mediapipe-"))
        raise WeightError(f"mediapipe:{weights}: there is no such file, and it is none of {known}")
    try:
        with ZipFile(path) as bundle:
            missing = MEMBERS - set(bundle.namelist())
    except (BadZipFile, OSError) as error:
        raise WeightError(f"{path} is no .task file of a Pose Landmarker: {error}") from error
    if missing:
        raise WeightError(f"{path} is no .task file of a Pose Landmarker: it lacks {', '.join(sorted(missing))}")
    return path


def task_weight(weights: str) -> Weight:
    """What is known of that file; its licence is that of Google's networks.

    Raises:
        WeightError: see `task_path`.
    """
    path = task_path(weights)
    entry = remotes().get(weights or DEFAULT)
    source = entry.source if entry else "a file of the user's own"
    name = entry.name if entry else path.stem
    digest, size = sha256_once(path), path.stat().st_size
    return Weight(name, path.name, digest, size, LICENCE, source, "person boxes, 33 landmarks, mask")


class TaskBackend:
    """What the back ends of MediaPipe have in common: ``mediapipe``, ``mediapipe:NAME`` or ``mediapipe:FILE.task``."""

    name = "mediapipe"
    wants = Resources(memory=250 << 20)

    @classmethod
    def weights(cls, weights: str = "") -> tuple[Weight, ...]:
        """The ``.task`` file.

        Raises:
            MissingExtraError: no package mediapipe.
            WeightError: see `task_path`.
        """
        if find_spec("mediapipe") is None:
            raise missing()
        return (task_weight(weights),)


def missing() -> MissingExtraError:
    """There is no package mediapipe."""
    return MissingExtraError("mediapipe", "mediapipe", "the back end mediapipe")
