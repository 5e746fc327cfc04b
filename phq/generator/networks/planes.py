"""Which representation of the scene a configuration names."""

from __future__ import annotations

from phq.generator.config import ModelConfig
from phq.generator.networks.hybrid import HybridPlanes
from phq.generator.networks.representation import Representation, TriGrid


def representation(config: ModelConfig) -> Representation:
    """The representation that the configuration names."""
    planes, box = config.planes, config.render.box
    if planes.kind == "hybrid":
        return HybridPlanes(planes.resolution, planes.channels, box)
    return TriGrid(planes.resolution, planes.channels, planes.depth, box)
