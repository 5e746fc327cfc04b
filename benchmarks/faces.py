"""How well an identity network tells people apart, on faces whose owners are known.

    phq build examples/photos WORK --preset everything --set models.identity=faceres --set duplicates.reject=false
    python benchmarks/faces.py WORK [--who benchmarks/faces.csv] [--same 0.65] [--sheet faces.png] [--lfw]

Cosines of all pairs of one person and of two, and how many of each reach ``--same``, by default the network's own
threshold. ``--sheet`` draws the faces, a group that the build has found a row. ``--lfw`` shows the network 100 faces of
LFW, 25 pixels wide, that come with scikit-image; nearly all are of different people.

    python benchmarks/faces.py --grouping 100000

Time and memory of grouping so many random faces, five of each person.
"""

from __future__ import annotations

import argparse
import csv
import resource
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from phq.dataset.reader import Dataset
from phq.decisions.faces import face_groups
from phq.detect.backends.offers import open_backend, same_face
from phq.detect.face_crop import HALF, text_to_embedding
from phq.detect.faceres import FaceRes
from phq.people.person import Face

WHO = Path(__file__).with_suffix(".csv")
TILE = 128
AT_ONCE = 1000
LEVELS = (0.0, 0.1, 0.5, 0.9, 0.99, 1.0)


def faces_of(dataset: Dataset) -> list[dict[str, Any]]:
    """Rows that have an embedding, by photo."""
    names = ["key", "source_path", "person_index", "face_embedding", "face_network", "identity_group", "face_box"]
    rows = dataset.columns(names).to_pylist()
    found = [row | {"number": number} for number, row in enumerate(rows) if row["face_embedding"]]
    return sorted(found, key=lambda row: (row["source_path"], row["person_index"]))


def known_names(path: Path) -> dict[tuple[str, int], str]:
    """Who it is, by photo and number of the person."""
    with path.open(newline="", encoding="utf-8") as stream:
        return {(row["photo"], int(row["person"])): row["name"] for row in csv.DictReader(stream)}


def say(title: str, cosines: np.ndarray, same: float) -> None:
    """A line of figures."""
    spread = " ".join(f"{level:.0%} {np.quantile(cosines, level):.3f}" for level in LEVELS) if len(cosines) else ""
    print(f"{title:16} {len(cosines):5} pairs, {int((cosines >= same).sum()):4} from {same} up   {spread}")


def compare(rows: list[dict[str, Any]], names: dict[tuple[str, int], str], same: float) -> None:
    """All pairs of the faces that have a name."""
    rows = [row for row in rows if (row["source_path"], row["person_index"]) in names]
    who = np.array([names[row["source_path"], row["person_index"]] for row in rows])
    vectors = np.stack([text_to_embedding(row["face_embedding"]) for row in rows])
    one, other = np.triu_indices(len(rows), 1)
    cosines, alike = (vectors @ vectors.T)[one, other], who[one] == who[other]
    print(f"{len(rows)} faces of {len(set(who.tolist()))} people")
    say("one person", cosines[alike], same)
    say("two people", cosines[~alike], same)


def lfw(word: str, same: float) -> None:
    """All pairs of LFW's faces."""
    from skimage.data import lfw_subset

    network, vectors = open_backend("identity", word), []
    for grey in lfw_subset()[:100]:
        picture = np.repeat((np.asarray(grey) * 255).astype(np.uint8)[..., None], 3, 2)
        side = len(picture)  # the pictures have the margin that a network adds
        box = np.array([side, side, side, side]) * [1, 1, 11, 11] / 12
        vectors.append(network.embed(picture, Face(1.0, box, np.array(FIVE) * side)))
    stacked = np.stack(vectors)
    say("LFW at 25 px", (stacked @ stacked.T)[np.triu_indices(len(stacked), 1)], same)


FIVE = ((0.32, 0.4), (0.68, 0.4), (0.5, 0.6), (0.36, 0.78), (0.64, 0.78))
"""About where eyes, nose and mouth are in LFW's pictures."""


def sheet(dataset: Dataset, rows: list[dict[str, Any]], path: Path) -> None:
    """The faces, a group a row, those that are alone last."""
    groups = defaultdict(list)
    for row in rows:
        groups[row["identity_group"]].append(_tile(dataset[row["number"]].image, row["face_box"]))
    lines = [tiles for group, tiles in sorted(groups.items(), key=lambda item: (item[0] == "", item[0]))]
    width = max(map(len, lines))
    blank = np.zeros((TILE, TILE, 3), np.uint8)
    drawn = np.vstack([np.hstack([*tiles, *[blank] * (width - len(tiles))]) for tiles in lines])
    cv2.imwrite(str(path), drawn[..., ::-1])


def _tile(picture: np.ndarray, box: list[float]) -> np.ndarray:
    x0, y0, x1, y1 = box
    reach = 0.7 * max(x1 - x0, y1 - y0)
    low = np.maximum(np.array([(x0 + x1) / 2, (y0 + y1) / 2]) - reach, 0).astype(int)
    part = picture[low[1] : low[1] + int(2 * reach), low[0] : low[0] + int(2 * reach)]
    return np.asarray(cv2.resize(part, (TILE, TILE)))


def grouping(count: int) -> None:
    """A line of figures."""
    rng, faces = np.random.default_rng(0), []
    for _ in range(0, count, 5 * AT_ONCE):
        centres = np.repeat(rng.standard_normal((AT_ONCE, 1024), np.float32), 5, 0)
        noisy = centres + np.float32(0.5) * rng.standard_normal(centres.shape, np.float32)
        faces += [row.astype(HALF).tobytes() for row in noisy / np.linalg.norm(noisy, axis=1, keepdims=True)]
    keys = [f"{number:016x}" for number in range(len(faces))]
    start = time.process_time()
    found = face_groups(keys, faces, [""] * len(faces), lambda _: FaceRes.same)
    seconds, peak = time.process_time() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    print(f"{len(faces)} faces, {len(set(found))} groups: {seconds:.1f} s of processor, {peak} MiB")


def main() -> None:
    """As the module says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path, nargs="?")
    parser.add_argument("--grouping", type=int)
    parser.add_argument("--who", type=Path, default=WHO)
    parser.add_argument("--same", type=float)
    parser.add_argument("--sheet", type=Path)
    parser.add_argument("--lfw", action="store_true")
    options = parser.parse_args()
    if options.grouping:
        grouping(options.grouping)
    if options.dataset is None:
        return
    dataset = Dataset(options.dataset)
    rows = faces_of(dataset)
    same = same_face(rows[0]["face_network"], options.same)
    compare(rows, known_names(options.who), same)
    if options.lfw:
        lfw(dataset.run["config"]["models"]["identity"], same)
    if options.sheet:
        sheet(dataset, rows, options.sheet)


if __name__ == "__main__":
    main()
