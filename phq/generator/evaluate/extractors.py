"""Which networks pictures are compared by."""

from __future__ import annotations

from typing import Any

import torch

from phq.generator.evaluate.features import Extractor, MobileNetV2
from phq.generator.evaluate.inception import find_inception

PROXY, FID = "fd_mobilenetv2", "fid"
Report = dict[str, Any]


def extractors_for(device: torch.device) -> tuple[dict[str, Extractor], Report]:
    """Networks by the name of their distance, and what the report says of the one that is missing."""
    found = find_inception(device)
    if isinstance(found, str):
        return {PROXY: MobileNetV2()}, {FID: None, "kid": None, "fid_missing": found}
    return {PROXY: MobileNetV2(), FID: found}, {}
