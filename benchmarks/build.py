"""Where the time of a build goes, and what a second worker buys: ratios within one run.

    python benchmarks/build.py [PHOTOS]

Seconds are of this machine and this moment; only the ratios mean anything.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from phq import build

EXAMPLES = Path(__file__).parents[1] / "examples" / "photos"
NETWORKS = ("detect", "keypoints", "face")


def timed(photos: Path, workers: int) -> dict[str, float]:
    """Seconds inside each stage, and ``wall``."""
    with tempfile.TemporaryDirectory() as folder:
        return build(photos, Path(folder) / "out", preset="everything", workers=workers).seconds


def main(photos: Path) -> None:
    """Print shares by stage and the ratio of one worker to two."""
    one, two = timed(photos, 1), timed(photos, 2)
    stages = {name: spent for name, spent in one.items() if name != "wall"}
    for name, spent in sorted(stages.items(), key=lambda item: -item[1]):
        print(f"{name:10} {spent / sum(stages.values()):6.1%}")
    networks = sum(stages[name] for name in NETWORKS)
    print(f"all stages / stages with networks   {sum(stages.values()) / networks:.2f}")
    print(f"one worker / two workers            {one['wall'] / two['wall']:.2f}")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else EXAMPLES)
