"""Stage: a portrait in the place of a photo."""

from __future__ import annotations

from phq.people import Photo
from phq.synth.portrait import draw_portrait, render
from phq.synth.record import describe
from phq.synth.views import Spread


def sample_name(seed: int, index: int) -> str:
    """``source_path`` and ``identity`` of a sample."""
    return f"synth-{seed}/{index:08d}"


def sample_index(name: str) -> int:
    """Number of the sample of this name."""
    return int(name.rpartition("/")[2])


class DrawPortraits:
    """Draws the picture, mask and record of every name; the same name gives the same bytes."""

    name = "draw"

    def __init__(self, seed: int, size: int, spread: Spread) -> None:
        self.seed, self.size, self.spread = seed, size, spread

    def setup(self) -> None:
        """Nothing to load: the body is read with the first picture."""

    def process(self, photos: list[Photo]) -> None:
        """Every photo that is not rejected yet, in place."""
        for photo in photos:
            if photo.rejected is not None:
                continue
            portrait = draw_portrait(self.seed, sample_index(photo.name), self.spread)
            describe(photo, portrait, *render(portrait, self.size))
