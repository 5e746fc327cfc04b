"""The square that the orientation network sees."""

from __future__ import annotations

from phq.keypoints.region import Region
from phq.pose.closed_form import TorsoFit

SPAN = 0.9
"""Side in template metres: from above the hair to the lower chest, whichever way the person bends."""


def orientation_region(fit: TorsoFit) -> Region:
    """Upright square about the neck of the closed-form fit, whose scale is that of the head and shoulders.

    Beyond the photo it is black. The fit falls back on the person's box by itself where landmarks are no help.
    """
    return Region(float(fit.neck_px[0]), float(fit.neck_px[1]), SPAN * fit.px_per_metre)
