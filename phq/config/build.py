"""The configuration of a build."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from phq.config.reading import Section, Settings
from phq.errors import ConfigError
from phq.reasons import RULE_BY_ADDRESS

Channel = Annotated[int, Field(ge=0, le=255)]
Score = Annotated[float, Field(gt=0, le=1)]


class Read(Section):
    """How photos are read."""

    max_pixels: int = Field(default=120_000_000, ge=1, description="a photo with more pixels is not decoded")
    background: tuple[Channel, Channel, Channel] = Field(
        default=(128, 128, 128), strict=False, description="RGB under transparent pixels"
    )


class Video(Section):
    """Which frames of a video are photos."""

    fps: float = Field(default=1.0, gt=0, le=1000, description="frames a second")
    change: float = Field(default=0.0, ge=0, le=255, description="least grey levels from the last frame taken; 0: any")


class Detect(Section):
    """How people are found."""

    threshold: Score | None = Field(default=None, description="least score of a box; absent: the detector's own")
    skeleton_threshold: Score | None = Field(default=None, description="of the skeleton network; absent: its own")
    tiles: bool = Field(default=True, description="look at overlapping tiles of a large photo too")
    turns: bool = Field(default=True, description="look for lying and upside-down people where nobody upright is sure")


class Models(Section):
    """Back end of each slot, as a spec ``NAME`` or ``NAME:WEIGHTS`` (docs/swap-networks.md)."""

    detector: str = Field(default="nanodet", description="finds people as boxes")
    skeleton: str = Field(default="movenet", description="17 keypoints a person, a second opinion; or none")
    landmarks: str = Field(default="blazepose", description="33 landmarks, which the labels follow from")
    face: str = Field(default="centerface", description="looks for a face where the head is")
    body: str = Field(default="none", description="pose and place of the body, in place of phq's fit; or none")
    headpose: str = Field(default="none", description="turns of the head, weighed with the fit; or none")
    identity: str = Field(default="none", description="tells people apart by their faces; or none")
    mask: str = Field(default="landmarks", description="the mask of the person in the crop")


class Crop(Section):
    """How the crop is stored."""

    jpeg_quality: int = Field(default=95, ge=1, le=100, description="quality of the stored JPEG, 1 to 100")


class Provenance(Section):
    """Provenance of photos for which a sidecar states nothing else."""

    licence: str = Field(default="", description="licence of the photos")
    author: str = Field(default="", description="who made them")
    source: str = Field(default="", description="where they came from")
    consent: Literal["", "yes", "limited", "no"] = Field(default="", description="whether the people in them agreed")


class Duplicates(Section):
    """Which samples are perceptual duplicates, and whether they are rejected."""

    bits: int = Field(default=8, ge=0, le=16, description="most bits between two perceptual hashes of 64")
    reject: bool = Field(default=True, description="reject duplicates; if false they are only recorded")
    scene: bool = Field(default=False, description="reject all but the best of a person in one scene too")


class Identity(Section):
    """When two faces are those of the same person."""

    same: Score | None = Field(default=None, description="least cosine of their embeddings; absent: the network's own")


class Split(Section):
    """How samples are split."""

    val_fraction: float = Field(default=0.05, ge=0, lt=1, description="fraction of the kept samples in val")


class Config(Section):
    """All settings that change the output of a build: equal configurations give equal bytes."""

    preset: str = Field(default="default", description="name of the preset this started from")
    size: int = Field(default=512, ge=64, le=2048, description="side of the stored image, pixels")
    fast: bool = Field(default=False, description="the smaller landmark network")
    seed: int = Field(default=0, ge=0, description="random seed")
    keep_rejects: bool = Field(default=False, description="store those whom thresholds reject too")
    read: Read = Read()
    video: Video = Video()
    detect: Detect = Detect()
    models: Models = Models()
    crop: Crop = Crop()
    provenance: Provenance = Provenance()
    duplicates: Duplicates = Duplicates()
    identity: Identity = Identity()
    split: Split = Split()
    thresholds: dict[str, float] = Field(default={}, description="by address; absent = off")

    @field_validator("thresholds")
    @classmethod
    def _known_and_finite(cls, thresholds: dict[str, float]) -> dict[str, float]:
        for address, value in thresholds.items():
            if address not in RULE_BY_ADDRESS:
                raise SETTINGS.unknown(address)
            if not math.isfinite(value):
                raise ConfigError(f"{address} = {value} is not a finite number; 'off' removes a threshold")
        return thresholds

    def model_specs(self) -> dict[str, str]:
        """The spec of the back end in each slot; `fast` selects the smaller of the embedded landmark networks."""
        specs: dict[str, str] = self.models.model_dump()
        if self.fast and specs["landmarks"] == "blazepose":
            specs["landmarks"] = "blazepose:full"
        return specs

    def storing_all(self) -> Config:
        """The configuration that rejects nothing: without thresholds, and with duplicates only recorded."""
        recorded = self.duplicates.model_copy(update={"reject": False, "scene": False})
        return self.model_copy(update={"thresholds": {}, "duplicates": recorded})

    def when_stored(self) -> Config:
        """The configuration that decides what is stored: with `keep_rejects` all, and an overlay rejects later."""
        return self.storing_all() if self.keep_rejects else self

    def canonical(self) -> str:
        """JSON text for hashing: equal for equal configurations, whatever sources they were combined from."""
        return json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))


SETTINGS = Settings(
    Config,
    Path(__file__).parent / "presets",
    "phq settings lists all.",
    {"thresholds": {address: rule.meaning for address, rule in RULE_BY_ADDRESS.items()}},
)


def load_config(
    preset: str | None = None, file: Path | None = None, sets: Sequence[str] = (), **overrides: Any
) -> Config:
    """Put a configuration together; what comes later in this list wins over what comes before.

    1. the preset: `preset`, else the one that the file names under ``preset``, else ``default``;
    2. `file`, in TOML: sections and thresholds, ``blur.min = 0.3`` at the top or under ``[thresholds]``;
    3. `sets`, each ``key=value`` with a dotted key, such as ``detect.tiles=false`` or ``models.mask=none``;
    4. `overrides`, top-level settings by name; those that are None are not set.

    A threshold is removed by the value ``off`` or ``none``.

    Raises:
        ConfigError: see `phq.config.reading.Settings.load`.
    """
    return SETTINGS.load(preset, "default", file, sets, **overrides)


def stored_config(config: Mapping[str, Any], sets: Sequence[str] = ()) -> Config:
    """A configuration as a dataset's ``run.json`` has it, with `sets` over it.

    Raises:
        ConfigError: see `phq.config.reading.Settings.load`.
    """
    return SETTINGS.over(config, {}, sets)
