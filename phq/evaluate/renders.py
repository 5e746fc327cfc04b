"""Rendered people through a part of the pipeline: what the tools that calibrate and the ablation begin with."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

import numpy as np

from phq.config.build import load_config
from phq.detect.boxes import iou
from phq.evaluate.truth import MATCH, Truth, read_truth
from phq.people import Person, Photo
from phq.stages.pipeline import Pipeline, stages


def seen_people(folder: Path, names: Collection[str], every: int = 1) -> Iterator[tuple[Truth, Person]]:
    """Truth and what the networks saw of the main person of each render; who is not found is left out.

    Args:
        folder: NNNNN.jpg with NNNNN.json. names: of the stages of `phq.stages.pipeline` to run. every: only each
            n-th render.
    """
    pipeline = Pipeline([stage for stage in stages(load_config("everything")) if stage.name in names])
    for path in sorted(folder.glob("*.jpg"))[::every]:
        truth = read_truth(path.with_suffix(".json"))
        photo = pipeline.run([Photo(path, path.name)])[0]
        photo.pixels = None  # a folder of them would not fit
        box = np.array(truth.person["bbox_visible_xyxy"], float)[None]
        overlaps = [(float(iou(box, p.box.edges[None])[0, 0]), p) for p in photo.people if not p.rejected]
        overlap, best = max(overlaps, key=lambda pair: pair[0], default=(0.0, None))
        if best is not None and overlap > MATCH:
            yield truth, best
