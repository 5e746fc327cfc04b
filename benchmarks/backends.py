"""What each back end delivers: the tables in docs/swap-networks.md.

    python benchmarks/backends.py TRUTH_DIR PHOTOS [--row "detector=rtmdet skeleton=rtmpose"] [--every N]

TRUTH_DIR has rendered people with exact truth (NNNNN.jpg with NNNNN.json), PHOTOS real photos with somebody in each.
Without ``--row`` there is a row for the default and for each other word at one place that can be used here; with it
only for what is named, on top of the default. Times are processor seconds of one process; on a GPU they tell nothing.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from phq.building.build import build
from phq.building.executors.choice import Engine, Execution
from phq.config.build import Models, load_config
from phq.detect.backends.offers import NONE, added, offers, open_backend, weights_of
from phq.detect.boxes import iou
from phq.errors import PhqError
from phq.evaluate.pose import evaluate
from phq.evaluate.truth import MATCH, read_truth
from phq.photos.decode import PhotoRejectError, decode
from phq.photos.discover import discover
from phq.stages.pipeline import weights_used

JUDGED = ("detector", "skeleton", "landmarks", "face")
"""Places on which boxes and angles depend."""
FURTHER = {"skeleton": (NONE,), "landmarks": ("blazepose:full",)}
DETECTORS = ("detector alone", "licence", "renders: main person found", "further boxes a render",
             "photos: somebody found", "seconds a render", "seconds a photo")  # fmt: skip
PIPELINES = ("instead of the default", "licence of it", "annotated", "torso yaw, median / p90 / flips",
             "head yaw, median / p90 / flips", "seconds a render")  # fmt: skip


def usable(place: str) -> Iterator[str]:
    """Words of a place whose package and weights are here; of the others, what is missing goes to stderr."""
    for word in [*offers(place), *added(place), *FURTHER.get(place, ())]:
        try:
            weights_of(place, word)
        except PhqError as error:
            print(f"left out: {place}={word}: {error}", file=sys.stderr)
        else:
            yield word


def licences(place: str, word: str) -> str:
    """Of the weights that a word loads."""
    return ", ".join(sorted({weight.licence for weight in weights_of(place, word)})) or "–"


def is_photo(path: Path) -> bool:
    """Whether phq reads it."""
    try:
        decode(path)
    except PhotoRejectError:
        return False
    return True


def row(*cells: object) -> str:
    """A line of a markdown table."""
    return f"| {' | '.join(map(str, cells))} |"


def head(names: tuple[str, ...]) -> str:
    """The first two lines of one."""
    return row(*names) + "\n" + "|---" * len(names) + "|"


def detector_row(word: str, renders: list[Path], photos: list[Path]) -> str:
    """How many main persons and how many photos one detector finds by itself, at its own threshold."""
    detector = open_backend("detector", word)
    hits, further, seen, spent = 0, 0, 0, {"render": 0.0, "photo": 0.0}

    def believed(path: Path, kind: str) -> Any:
        pixels = decode(path).pixels
        start = time.process_time()
        (found,) = detector.detect([pixels], detector.threshold, True)
        spent[kind] += time.process_time() - start
        return found.at(found.scores >= detector.threshold).boxes

    for path in renders:
        boxes = believed(path, "render")
        truth = np.array(read_truth(path.with_suffix(".json")).person["bbox_visible_xyxy"], float)[None]
        hit = bool((iou(truth, boxes) > MATCH).any())
        hits, further = hits + hit, further + len(boxes) - hit
    for path in photos:
        seen += len(believed(path, "photo")) > 0
    each = f"{spent['render'] / len(renders):.2f}", f"{spent['photo'] / len(photos):.2f}"
    found = f"{hits / len(renders):.1%}", f"{further / len(renders):.2f}", f"{seen} of {len(photos)}"
    return row(word, licences("detector", word), *found, *each)


def pipeline_row(words: dict[str, str], truth: Path, renders: list[Path]) -> str:
    """Errors of a whole build with these words, by `phq evaluate pose`."""
    with tempfile.TemporaryDirectory() as folder:
        listed, out = Path(folder) / "renders.txt", Path(folder) / "out"
        listed.write_text("\n".join(map(str, renders)))
        sets, start = [f"models.{place}={word}" for place, word in words.items()], time.process_time()
        build(listed, out, preset="everything", sets=sets, execution=Execution(engine=Engine.inline, workers=1))
        seconds = time.process_time() - start
        report = evaluate(out, truth)
    everybody = report["groups"]["all"]
    yaws = (f"{everybody[f'{p}_median']:.1f} / {everybody[f'{p}_p90']:.0f} / {everybody[f'{p}_flips']:.1%}"
            for p in ("torso", "head"))  # fmt: skip
    name = ", ".join(f"{place} `{word}`" for place, word in words.items()) or "the default"
    used = weights_used(load_config(sets=sets), slots=words or None)
    licence = ", ".join(sorted({weight.licence for weight in used})) or "–"
    annotated = f"{report['annotated']} of {len(renders)}"
    return row(name, licence, annotated, *yaws, f"{seconds / len(renders):.2f}")


def default_rows() -> Iterator[dict[str, str]]:
    """The default, and each other word at one place."""
    yield {}
    for place in JUDGED:
        yield from ({place: word} for word in usable(place) if word != getattr(Models(), place))


def main(
    truth: Annotated[Path, typer.Argument(help="Folder with NNNNN.jpg and NNNNN.json.")],
    photos: Annotated[str, typer.Argument(help="Folder of real photos.")],
    rows: Annotated[list[str] | None, typer.Option("--row", help="PLACE=WORD, with spaces between.")] = None,
    every: Annotated[int, typer.Option(help="Only each n-th render.")] = 1,
) -> None:
    """Print both tables."""
    renders = sorted(truth.glob("*.jpg"))[::every]
    real = [found.path for found in discover(photos) if is_photo(found.path)]
    chosen = [dict(part.split("=", 1) for part in text.split()) for text in rows or ()] or list(default_rows())
    print(head(DETECTORS))
    for word in dict.fromkeys(words.get("detector", Models().detector) for words in chosen):
        print(detector_row(word, renders, real), flush=True)
    print("\n" + head(PIPELINES))
    for each in chosen:
        print(pipeline_row(each, truth, renders), flush=True)


if __name__ == "__main__":
    typer.run(main)
