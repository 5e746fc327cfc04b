"""All back ends: phq's own table, and those that other packages add by entry points.

A package adds a back end to a slot by an entry point in the group ``phq.SLOT``, as in its ``pyproject.toml``::

    [project.entry-points."phq.detector"]
    mine = "my_package.module:MyDetector"
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from phq.errors import ConfigError, PhqError
from phq.system.resources import Resources

NONE = "none"
"""The spec for a slot that is left empty."""
MAY_BE_EMPTY = ("skeleton", "body", "headpose", "identity")


@dataclass(frozen=True)
class Offer:
    """A back end of phq's own."""

    slot: str
    name: str
    target: str
    """``module:Class``."""
    extra: str = ""
    """The extra that installs its package; '' if none is needed."""


OFFERS = (
    Offer("detector", "nanodet", "phq.detect.nanodet:NanoDet"),
    Offer("detector", "yolo", "phq.detect.backends.yolo.detector:YoloDetector", "yolo"),
    Offer("detector", "mediapipe", "phq.detect.backends.mediapipe.people:MediaPipeDetector", "mediapipe"),
    Offer("detector", "rfdetr", "phq.detect.backends.rfdetr:RfDetr"),
    Offer("detector", "rtmdet", "phq.detect.backends.rtmdet:RtmDet"),
    Offer("detector", "deimv2", "phq.detect.backends.deimv2:DeimV2"),
    Offer("skeleton", "movenet", "phq.detect.movenet:MoveNet"),
    Offer("skeleton", "yolo", "phq.detect.backends.yolo.detector:YoloSkeleton", "yolo"),
    Offer("skeleton", "mediapipe", "phq.detect.backends.mediapipe.people:MediaPipeSkeleton", "mediapipe"),
    Offer("skeleton", "rtmpose", "phq.detect.backends.rtmpose:RtmPose"),
    Offer("landmarks", "blazepose", "phq.detect.blazepose:BlazePose"),
    Offer("landmarks", "mediapipe", "phq.detect.backends.mediapipe.landmarks:MediaPipeLandmarks", "mediapipe"),
    Offer("face", "centerface", "phq.detect.centerface:CenterFace"),
    Offer("face", "insightface", "phq.detect.backends.insightface.scrfd:Scrfd", "insightface"),
    Offer("headpose", "whenet", "phq.detect.backends.headpose:WheNet", "headpose"),
    Offer("headpose", "6drepnet360", "phq.detect.backends.headpose:SixDRepNet360"),
    Offer("headpose", "6drepnet", "phq.detect.backends.headpose:SixDRepNet"),
    Offer("identity", "faceres", "phq.detect.faceres:FaceRes"),
    Offer("identity", "insightface", "phq.detect.backends.insightface.arcface:ArcFace", "insightface"),
    Offer("mask", "landmarks", "phq.align.mask_from_landmarks:LandmarkMask"),
    Offer("mask", "yolo", "phq.detect.backends.yolo.mask:YoloMask", "yolo"),
)


def offers(slot: str) -> dict[str, Offer]:
    """phq's own back ends of a slot by name."""
    return {offer.name: offer for offer in OFFERS if offer.slot == slot}


def split_spec(spec: str) -> tuple[str, str]:
    """Name and weights of a spec ``NAME`` or ``NAME:WEIGHTS``."""
    name, _, weights = spec.partition(":")
    return name.strip(), weights.strip()


def open_backend(slot: str, spec: str) -> Any:
    """The loaded back end that a spec names; None for `NONE` at a slot that may be empty.

    Raises:
        ConfigError: there is no such back end.
        WeightError: see `phq.detect.backends.protocols.Backend`.
        MissingExtraError: see `phq.detect.backends.protocols.Backend`.
    """
    cls = _chosen(slot, spec)
    return cls(split_spec(spec)[1]) if cls else None


def weights_of(slot: str, spec: str) -> tuple[Any, ...]:
    """The files (`phq.weights.embedded.Weight`) that a spec's back end would load, checked to exist.

    Raises:
        ConfigError: see `open_backend`.
        WeightError: see `open_backend`.
        MissingExtraError: see `open_backend`.
    """
    cls = _chosen(slot, spec)
    return tuple(cls.weights(split_spec(spec)[1])) if cls else ()


def network_id(slot: str, spec: str) -> str:
    """A back end and the beginning of a hash of its weights, as the column ``face_network`` states it.

    Embeddings can be compared if, and only if, they are of one network; the location of the file does not matter.

    Raises:
        ConfigError: see `open_backend`.
        WeightError: see `open_backend`.
        MissingExtraError: see `open_backend`.
    """
    digests = "".join(weight.sha256 for weight in weights_of(slot, spec))
    return f"{split_spec(spec)[0]}:{hashlib.sha256(digests.encode()).hexdigest()[:8]}"


def wants_of(slot: str, spec: str) -> Resources:
    """Resources of a worker that runs a spec's back end, as its class states them; none by default.

    Raises:
        ConfigError: there is no such back end.
    """
    wants: Resources = getattr(_chosen(slot, spec), "wants", Resources())
    return wants


def _chosen(slot: str, spec: str) -> Any:
    """The class that a spec names; None where the slot stays empty."""
    name, _ = split_spec(spec)
    return None if name == NONE and slot in MAY_BE_EMPTY else backend_class(slot, name)


def backend_class(slot: str, name: str) -> Any:
    """The class of a back end; phq's own name wins over an entry point's.

    Raises:
        ConfigError: there is no such back end, or its package cannot be loaded.
    """
    offer = offers(slot).get(name)
    if offer is not None:
        module, _, attribute = offer.target.partition(":")
        return getattr(import_module(module), attribute)
    others = added(slot)
    if name not in others:
        raise ConfigError(f"models.{slot} = {name!r}: there is no such {slot}; there are: {_known(slot, others)}")
    try:
        return others[name].load()
    except PhqError:
        raise
    except Exception as error:
        raise ConfigError(f"models.{slot} = {name!r}: {others[name].value} cannot be loaded: {error}") from error


def same_face(network: str, stated: float | None) -> float:
    """Cosine from which two embeddings of a network show one face.

    Args:
        network: as ``face_network`` calls it.
        stated: the configured value, None if there is none.

    Raises:
        ConfigError: no value is configured, and the network is not known here.
    """
    return stated or float(backend_class("identity", split_spec(network)[0]).same)


def added(slot: str) -> dict[str, EntryPoint]:
    """Back ends of a slot that other packages offer, by name, in the order of names."""
    return {point.name: point for point in sorted(entry_points(group=f"phq.{slot}"), key=lambda point: point.name)}


def _known(slot: str, others: dict[str, EntryPoint]) -> str:
    own = [f"{o.name} (pip install 'phq[{o.extra}]')" if o.extra else o.name for o in offers(slot).values()]
    empty = [NONE] if slot in MAY_BE_EMPTY else []
    return ", ".join([*own, *(f"{point.name} (of {point.value})" for point in others.values()), *empty])
