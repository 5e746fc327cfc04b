"""Does a back end keep to its protocol? For phq's own and for those of other packages::

from phq.detect.backends.conformance import complaints
assert list(complaints("mask", MyMask(), photos)) == []
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from phq.detect.backends.body_trial import BodyTrial
from phq.detect.backends.head_trial import HeadTrial
from phq.detect.backends.square_trials import FaceTrial, IdentityTrial, MaskTrial
from phq.detect.backends.trial import Trial
from phq.detect.backends.trials import DetectorTrial, LandmarkTrial, SkeletonTrial
from phq.system.arrays import Image
from phq.weights.embedded import Weight

TRIALS: dict[str, type[Trial]] = {
    "detector": DetectorTrial,
    "skeleton": SkeletonTrial,
    "landmarks": LandmarkTrial,
    "face": FaceTrial,
    "body": BodyTrial,
    "headpose": HeadTrial,
    "identity": IdentityTrial,
    "mask": MaskTrial,
}
ALIKE = 0.75
"""Fraction of the people found in photos that must be found in the mirror images and at twice the size, too."""


def complaints(slot: str, backend: Any, photos: Sequence[Image], weights: str = "") -> Iterator[str]:
    """A sentence for each departure from `phq.detect.backends.protocols`; none for a back end that conforms.

    Looked at: `name` and `weights`; shapes, ranges, order and finite numbers; that a picture is not written to, that
    the same picture gives the same answer, also after others; odd pictures (one pixel, narrow, huge, without colour,
    without anything); that a mirrored photo, and one at twice the size, give about the same people.

    Args:
        slot: of `phq.detect.backends.protocols.SLOTS`.
        photos: H × W × 3 uint8 RGB with people in them.
        weights: what the back end was made with.
    """
    yield from _of_itself(backend, weights)
    trial = TRIALS[slot](backend)
    pictures = {f"photo {i}": photo for i, photo in enumerate(photos)} | trial.odd()
    shown = {name: trial.shown(picture) for name, picture in pictures.items()}
    answers: dict[str, Any] = {}
    for name, picture in shown.items():
        yield from (f"{said} ({name})" for said in _of_picture(trial, picture, answers, name))
    seen = [name for name in answers if name.startswith("photo")]
    for name in reversed(seen):
        if not _same(trial, answers[name], trial.ask(shown[name])):
            yield f"another answer for the same picture, asked again after others ({name})"
    yield from _of_likeness(trial, [(shown[name], answers[name]) for name in seen])


def _of_itself(backend: Any, spec: str) -> Iterator[str]:
    if not (isinstance(getattr(backend, "name", None), str) and backend.name):
        yield "it has no name"
    try:
        weights = type(backend).weights(spec)
    except Exception as error:  # noqa: BLE001 - any fault of it is a complaint
        yield f"weights() raises {_called(error)}"
        return
    if not isinstance(weights, tuple) or not all(isinstance(weight, Weight) for weight in weights):
        yield "weights() is not a tuple of phq.weights.embedded.Weight"
        return
    for weight in weights:
        if len(weight.sha256) != 64 or not weight.licence:
            yield f"weights() states no sha256 or no licence of {weight.name}"


def _of_picture(trial: Trial, picture: Image, answers: dict[str, Any], name: str) -> Iterator[str]:
    before = picture.copy()
    try:
        answer = trial.ask(picture)
        yield from list(trial.wrong(answer))
    except Exception as error:  # noqa: BLE001 - a back end must not raise for a picture
        yield f"raises {_called(error)}"
        return
    answers[name] = answer
    if not np.array_equal(picture, before):
        yield "writes to the picture"


def _of_likeness(trial: Trial, seen: list[tuple[Image, Any]]) -> Iterator[str]:
    for change in trial.changes:
        found = [same for picture, answer in seen for same in trial.alike(answer, picture, change)]
        if found and np.mean(found) < ALIKE:
            yield f"of {len(found)} seen in the photos, only {sum(found)} are where they were when {change}"


def _same(trial: Trial, a: Any, b: Any) -> bool:
    pairs = zip(trial.arrays(a), trial.arrays(b), strict=True)
    return all(np.array_equal(first, second, equal_nan=True) for first, second in pairs)


def _called(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
