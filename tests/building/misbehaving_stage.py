"""A stage that photos kill or hold up by their names, and the pipeline of it alone."""

from __future__ import annotations

import os
import signal
import time

from phq.people.person import Photo
from phq.stages.pipeline import Pipeline


class Odd:
    """Rejects every photo that lets it live."""

    name = "odd"

    def setup(self) -> None: ...

    def process(self, photos: list[Photo]) -> None:
        for photo in photos:
            if photo.rejected is not None:
                continue
            if "kill" in photo.name:
                os.kill(os.getpid(), signal.SIGKILL)
            if "hang" in photo.name:
                time.sleep(600)
            photo.reject("not_an_image")


def odd_pipeline() -> Pipeline:
    return Pipeline([Odd()])
