"""How many photos that are turned by 90, 180 and 270 degrees are found upright, and how many upright ones are not left.

    python benchmarks/turns.py PHOTOS [--most N] [--draw FOLDER]

PHOTOS are taken to be upright. Each is decoded once and looked at in four turns by the stages up to `TurnUpright`.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from pathlib import Path

from PIL import Image

from phq.config.build import load_config
from phq.people.person import Photo
from phq.photos.contents import photos_of
from phq.photos.decode import PhotoRejectError
from phq.photos.turn import turned
from phq.stages.pipeline import Pipeline, stages
from phq.stages.read_photos import source_of
from phq.stages.turn_upright import SURE, evidence_of


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photos")
    parser.add_argument("--most", type=int, default=10**9, help="photos, evenly spread")
    parser.add_argument("--draw", type=Path, help="folder for pictures of what went wrong")
    arguments = parser.parse_args()
    chain = stages(load_config("default"))
    names = [stage.name for stage in chain]
    pipeline = Pipeline(chain[names.index("detect") : names.index("turn") + 1])
    found = photos_of(arguments.photos)
    step = max(1, len(found) // arguments.most)
    counts: Counter[tuple[int, str]] = Counter()
    start = time.process_time()
    for number, file in enumerate(found[::step]):
        try:
            decoded = file.decode()
        except PhotoRejectError:
            continue
        for turn in (0, 90, 180, 270):
            photo = Photo(file.path, file.name, turned(decoded.pixels, turn), source_of(decoded))
            height, width = photo.pixels.shape[:2]
            photo.source = type(photo.source)(decoded.sha256, width, height, False, photo.source.focal_px)
            pipeline.run([photo])
            outcome = _outcome(photo, turn)
            counts[turn, outcome] += 1
            if outcome == "wrong":
                print(f"{file.name} turned by {turn} is turned by {photo.source.photo_turn_deg}", flush=True)
                if arguments.draw:
                    arguments.draw.mkdir(parents=True, exist_ok=True)
                    Image.fromarray(photo.pixels).save(arguments.draw / f"{number:04d}-{turn}.jpg")
    seconds = {name: count.seconds for name, count in pipeline.counts.items()}
    print("| turned by | left as it is, sure | left, not sure | upright | wrong |\n|---|---|---|---|---|")
    for turn in (0, 90, 180, 270):
        print(
            f"| {turn}° | "
            + " | ".join(str(counts[turn, name]) for name in ("sure", "unsure", "right", "wrong"))
            + " |"
        )
    print(f"seconds a stage: {seconds}; processor time {time.process_time() - start:.0f} s")


def _outcome(photo: Photo, turn: int) -> str:
    if photo.source.photo_turn_deg:
        return "right" if (turn + photo.source.photo_turn_deg) % 360 == 0 else "wrong"
    return "sure" if max(map(evidence_of, photo.people), default=0.0) >= SURE else "unsure"


if __name__ == "__main__":
    main()
