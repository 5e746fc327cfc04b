"""BlazePose (MediaPipe) landmark network on ONNX Runtime.

Recipe of the regions: a square of side 1.25 × the person box for the first pass; the second re-centres on auxiliary
landmark 33, with side 2.5 × its distance to landmark 34 and the angle that puts 34 straight above 33 (MediaPipe's
own region from its detector's two alignment points, Bazarevsky et al. 2020).
"""

from __future__ import annotations

import numpy as np

from phq.errors import ConfigError
from phq.people.person import Landmarks
from phq.photos.region import Region, apply_affine, sample
from phq.system.arrays import Floats, Image
from phq.system.elementary import exp, sin_cos
from phq.system.linear import product
from phq.system.resources import Resources
from phq.weights.devices import open_session
from phq.weights.embedded import Weight, embedded

SIDE = 256
LEFT_RIGHT = (0, 4, 5, 6, 1, 2, 3, 8, 7, 10, 9, 12, 11, 14, 13, 16, 15, 18, 17, 20, 19, 22, 21, 24, 23, 26, 25,
              28, 27, 30, 29, 32, 31)  # fmt: skip
"""Landmark i of a mirror image is landmark LEFT_RIGHT[i] of the image."""


class BlazePose:
    """`run(jobs)` for (pixels, region, mirrored) jobs.

    One at a time: on one core a batch of eight costs a sixth more time an image (its activations leave the cache) and
    eight times the memory (docs/log.md).
    """

    name = "blazepose"
    wants = Resources(memory=280 << 20)
    """The network and its layers."""

    def __init__(self, weights: str = "") -> None:
        self.session = open_session(self.weights(weights)[0].name)

    @classmethod
    def weights(cls, weights: str = "") -> tuple[Weight, ...]:
        """The embedded network ``heavy`` (the default) or ``full``, which is a third of its size.

        Raises:
            ConfigError: another name.
        """
        if weights not in ("", "heavy", "full"):
            raise ConfigError(f"models.landmarks = 'blazepose:{weights}': there are blazepose:heavy and blazepose:full")
        return (embedded(f"blazepose-{weights or 'heavy'}"),)

    def run(self, jobs: list[tuple[Image, Region, bool]]) -> list[Landmarks]:
        """One `Landmarks` a job; a mirrored job is run on the mirror image and mirrored back."""
        return [self._run(*job) for job in jobs]

    def _run(self, pixels: Image, region: Region, mirrored: bool) -> Landmarks:
        crop = sample(pixels, region, SIDE)
        turned = crop[:, ::-1] if mirrored else crop
        names = ["ld_3d", "world_3d", "activation_segmentation", "output_poseflag"]
        outputs = self.session.run(names, {"input_1": turned[None].astype(np.float32) / 255})
        return decode(tuple(output[0] for output in outputs), region, mirrored)


def decode(outputs: tuple[Floats, ...], region: Region, mirrored: bool) -> Landmarks:
    """Network output of one region to photo pixels and upright axes.

    Args:
        outputs: (195,) 39 × x, y, z, visibility logit, presence logit in region pixels; (117,) 39 × x, y, z metres
            in the region's axes; (256, 256, 1) mask; (1,) pose flag.
    """
    ld, world, segmentation, flag = outputs
    points = ld.reshape(39, 5).astype(np.float64)
    metres = world.reshape(39, 3)[:33].astype(np.float64)
    mask = segmentation[..., 0]
    if mirrored:
        points[:, 0] = SIDE - points[:, 0]
        points[:33] = points[list(LEFT_RIGHT)]
        metres = metres[list(LEFT_RIGHT)] * [-1, 1, 1]
        mask = mask[:, ::-1]
    placed = apply_affine(region.to_photo(SIDE), points[:35, :2])
    sin, cos = sin_cos(region.angle)
    upright = np.column_stack([product(metres[:, :2], np.array([[cos, sin], [-sin, cos]])), metres[:, 2]])
    visibility = 1 / (1 + exp(-points[:33, 3]))
    soft = np.ascontiguousarray(np.clip(mask, 0, 1), dtype=np.float32)
    return Landmarks(region, placed[:33], upright, visibility, float(flag[0]), placed[33:35], soft)
