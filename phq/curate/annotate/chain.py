"""The stages of an annotation: those chosen of the pipeline, between reading a record and stating it again."""

from __future__ import annotations

from phq.config.build import Config
from phq.curate.annotate.bodies import StateForBody
from phq.curate.annotate.groups import UNCERTAINTY, Selection
from phq.curate.annotate.read_stored import ReadStored
from phq.curate.annotate.stored_stages import (
    FindLandmarksAgain,
    FitBodyAgain,
    ScoreAgain,
    StateForStored,
    StateUncertainty,
    StoreFaceInStored,
)
from phq.dataset.reader import Dataset
from phq.stages.contract import Stage
from phq.stages.fit_body import FitBody
from phq.stages.pipeline import Pipeline, stages


def make_pipeline(dataset: Dataset, config: Config, selection: Selection, body: str | None = None) -> Pipeline:
    """Set-up stages for samples of a dataset; `body` is the word of `phq.pose.body_choice`, if one was given."""
    return Pipeline(chain(dataset, config, selection, body))


def chain(dataset: Dataset, config: Config, selection: Selection, body: str | None = None) -> list[Stage]:
    """From a record to what the chosen stages say instead, in the order of `phq.stages.pipeline.stages`."""
    chosen: list[Stage] = [ReadStored(dataset, config.read, selection)]
    if body is not None:
        return [*chosen, StateForBody(body)]
    for stage in stages(config):
        if stage.name in selection.stages:
            chosen += again(stage, config)
    return [*chosen, StateUncertainty()] if set(UNCERTAINTY) & set(selection.columns) else chosen


def again(stage: Stage, config: Config) -> list[Stage]:
    """The stage as it is, or the one that does its work where only the stored picture can be labelled."""
    stand_ins: dict[str, list[Stage]] = {
        "keypoints": [FindLandmarksAgain(config.model_specs()["landmarks"])],
        "fit": [FitBodyAgain() if isinstance(stage, FitBody) else stage],
        "camera": [stage, StateForStored()],
        "store_face": [StoreFaceInStored()],
        "score": [ScoreAgain()],
    }
    return stand_ins.get(stage.name, [stage])
