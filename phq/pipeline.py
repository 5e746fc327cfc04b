"""The pipeline, in order. This is the one place where it is listed."""

from __future__ import annotations

import time
import traceback
from collections import defaultdict
from collections.abc import Callable

from phq.align.stage import CropHeadshot
from phq.camera.stage import PlaceCamera
from phq.config import Config
from phq.detect.stage import DetectPeople
from phq.face.stage import FindFace, StoreFace
from phq.keypoints.stage import FindLandmarks
from phq.mask.stage import MaskPerson
from phq.orient.stage import OrientPeople
from phq.photos.stage import ReadPhotos
from phq.pose.stage import FitBody, StartBody
from phq.provenance.sidecar import Sidecar
from phq.provenance.stage import StateProvenance
from phq.quality.gate import Gate
from phq.quality.stage import ScorePerson
from phq.shards.stage import EncodeSample
from phq.work import Photo, Stage


def stages(config: Config, sidecar: Sidecar | None = None) -> list[Stage]:
    """From a path to an encoded sample."""
    return [
        ReadPhotos(config.read.max_pixels, config.read.background),
        StateProvenance(config.provenance, sidecar),
        DetectPeople(config.detect.nanodet_threshold, config.detect.movenet_threshold, config.detect.tiles),
        Gate(config.thresholds),  # people whose box already decides cost no more time
        FindLandmarks(config.fast),
        StartBody(),
        FindFace(),
        OrientPeople(),
        FitBody(),
        PlaceCamera(),
        CropHeadshot(config.size),
        MaskPerson(),
        StoreFace(),
        ScorePerson(),
        EncodeSample(config.crop.jpeg_quality),
    ]


def models_used(config: Config) -> list[str]:
    """Names (in `phq.weights.registry`) of the networks the pipeline runs."""
    return ["nanodet", "movenet", "blazepose-full" if config.fast else "blazepose-heavy", "orientation", "centerface"]


class Pipeline:
    """Set-up stages, and `run` for a batch of photos."""

    def __init__(self, chain: list[Stage]) -> None:
        self.stages = chain
        for stage in chain:
            stage.setup()
        self.seconds: defaultdict[str, float] = defaultdict(float)
        """Time spent in each stage so far."""

    def run(self, photos: list[Photo]) -> list[Photo]:
        """Carry photos through every stage, in place; a photo that breaks a stage becomes a reject of its own."""
        for stage in self.stages:
            start = time.perf_counter()
            _isolated(stage.process, photos)
            self.seconds[stage.name] += time.perf_counter() - start
        return photos


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
