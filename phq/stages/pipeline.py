"""The pipeline, in order, listed here and nowhere else."""

from __future__ import annotations

import time
import traceback
from collections import defaultdict
from collections.abc import Callable, Container, Iterable, Iterator
from dataclasses import dataclass

from phq.config.build import Config
from phq.dataset.sidecar import Sidecar
from phq.detect.backends.offers import NONE, weights_of
from phq.people.person import Photo, living
from phq.stages.contract import Stage
from phq.stages.crop_headshot import CropHeadshot
from phq.stages.detect_people import DetectPeople
from phq.stages.embed_identity import EmbedIdentity
from phq.stages.encode_sample import EncodeSample
from phq.stages.estimate_body import EstimateBody
from phq.stages.find_face import FindFace, StoreFace
from phq.stages.find_landmarks import FindLandmarks
from phq.stages.fit_body import FitBody, StartBody
from phq.stages.gate import Gate
from phq.stages.mask_person import MaskPerson
from phq.stages.orient_people import OrientPeople
from phq.stages.place_camera import PlaceCamera
from phq.stages.read_photos import ReadPhotos
from phq.stages.score_person import ScorePerson
from phq.stages.state_provenance import StateProvenance
from phq.stages.turn_head import TurnHead
from phq.stages.turn_upright import TurnUpright
from phq.weights.embedded import Weight, embedded, registry


def stages(config: Config, sidecar: Sidecar | None = None) -> list[Stage]:
    """From a path to an encoded sample."""
    specs = config.model_specs()
    detect = DetectPeople(config.detect, config.models)
    look: list[Stage] = [
        Gate({} if config.keep_rejects else config.thresholds),  # people whose box already decides cost no more time
        FindLandmarks(specs["landmarks"]),
        StartBody(),
        FindFace(specs["face"]),
    ]
    return [
        ReadPhotos(config.read.max_pixels, config.read.background),
        StateProvenance(config.provenance, sidecar),
        detect,
        *look,
        *([TurnUpright(detect, look)] if config.detect.turns else []),
        OrientPeople(),
        EstimateBody(specs["body"]) if specs["body"] != NONE else FitBody(),
        *([TurnHead(specs["headpose"])] if specs["headpose"] != NONE else []),
        PlaceCamera(),
        CropHeadshot(config.size),
        MaskPerson(specs["mask"]),
        StoreFace(),
        *([EmbedIdentity(specs["identity"])] if specs["identity"] != NONE else []),
        ScorePerson(),
        EncodeSample(config.crop.jpeg_quality),
    ]


CALIBRATED = {"orientation": "orientation", "quality": "centerface"}
"""Embedded networks without alternatives, by purpose: labels or scores are calibrated for them."""


def weights_used(config: Config, slots: Container[str] | None = None) -> list[Weight]:
    """The weight files of the pipeline's networks, each once, checked to exist and to be usable.

    Args:
        slots: limit to these; of `phq.detect.backends.protocols.SLOTS` and `CALIBRATED`.

    Raises:
        ConfigError: see `phq.detect.backends.offers.weights_of`.
        WeightError: see `phq.detect.backends.offers.weights_of`.
        MissingExtraError: see `phq.detect.backends.offers.weights_of`.
    """
    specs = config.model_specs() | CALIBRATED
    chosen = {slot: spec for slot, spec in specs.items() if slots is None or slot in slots}
    used = (_weights(slot, spec) for slot, spec in chosen.items())
    return list(dict.fromkeys(weight for weights in used for weight in weights))


def _weights(slot: str, spec: str) -> tuple[Weight, ...]:
    return (embedded(spec),) if slot in CALIBRATED else weights_of(slot, spec)


def foreign(weights: Iterable[Weight]) -> tuple[str, ...]:
    """sha256 of weights that are not embedded: other bytes under the same name would make another dataset."""
    return tuple(weight.sha256 for weight in weights if registry().get(weight.name) != weight)


@dataclass(frozen=True)
class StageCount:
    """Throughput and time of one stage."""

    seconds: float = 0.0
    photos: int = 0
    people: int = 0
    """Not rejected after the stage."""
    rejected: int = 0
    """Photos and people that the stage rejected."""

    def __add__(self, other: StageCount) -> StageCount:
        return StageCount(
            self.seconds + other.seconds,
            self.photos + other.photos,
            self.people + other.people,
            self.rejected + other.rejected,
        )


class Pipeline:
    """Stages, and `run` for a batch of photos.

    The first stage, which reads photos, is set up at once; the others, with their networks, when it has read some.
    """

    def __init__(self, chain: list[Stage]) -> None:
        self.stages = chain
        self._waiting = chain[1:]
        for stage in chain[:1]:
            stage.setup()
        self.counts: defaultdict[str, StageCount] = defaultdict(StageCount)
        """By stage, since the last clear."""
        self.notify: Callable[[int], None] = lambda _: None
        """Called with the number of photos before a batch, and with 0 after it."""
        self.opening: Callable[[bool], None] = lambda _: None
        """Called with True before the stages but the first are set up, within the first batch, and with False after."""

    def run(self, photos: list[Photo]) -> list[Photo]:
        """Carry photos through every stage, in slot; a photo that breaks a stage becomes a reject of its own."""
        self.notify(len(photos))
        for stage in self.stages:
            if stage in self._waiting:
                self.open()
            before, start = _rejected(photos), time.perf_counter()
            _isolated(stage.process, photos)
            seconds = time.perf_counter() - start
            alive, lost = len(living(photos)), _rejected(photos) - before
            self.counts[stage.name] += StageCount(seconds, len(photos), alive, lost)
        self.notify(0)
        return photos

    def open(self) -> None:
        """Set up the stages that are not yet.

        Raises:
            WeightError: a network cannot be opened.
        """
        self.opening(True)
        while self._waiting:
            self._waiting[0].setup()
            self._waiting.pop(0)
        self.opening(False)

    def each(self, photos: list[Photo]) -> Iterator[Photo]:
        """The photos, carried through every stage; each is released when the next is asked for."""
        for photo in self.run(photos):
            yield photo
            photo.release()


def _rejected(photos: list[Photo]) -> int:
    people = (person.rejected for photo in photos for person in photo.people)
    return sum(photo.rejected is not None for photo in photos) + sum(reject is not None for reject in people)


def _isolated(process: Callable[[list[Photo]], None], photos: list[Photo]) -> None:
    """Process a batch; if it fails, each photo alone, so that only the one at fault is lost."""
    try:
        process(photos)
    except Exception as error:  # noqa: BLE001 - any fault of a stage must cost one photo, never the build
        if len(photos) == 1:
            where = traceback.extract_tb(error.__traceback__)[-1]
            photos[0].reject("internal_error", f"{type(error).__name__}: {error} ({where.name}, line {where.lineno})")
            return
        for photo in photos:
            _isolated(process, [photo])
