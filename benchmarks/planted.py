"""Faults planted into good photographs: how many of each kind the `default` preset catches, and what it costs.

    python benchmarks/planted.py WORK PHOTOS… [--photos 40]

Two builds, continued if interrupted: the photos as they are, which gives good people to plant into (WORK/clean), and
photos with a fault each (WORK/planted). Then the stored scores are decided on by `default`. A person counts as caught
if no kept sample lies where the person was. Copies count as caught if they are not kept beside the original; a
label turned by 180° is planted as an overlay. "Clean ones lost" are people of the photos as they are.
"""

from __future__ import annotations

import argparse
import io
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image

from phq import build
from phq.dataset.overlays import write_overlay
from phq.decisions.decide import Decided, decide_dataset
from phq.people.record import BodyLabel, CameraLabel
from phq.photos.region import apply_affine
from phq.quality.framing import head_disc
from phq.reasons import RULE_BY_ADDRESS

KEEP_COPIES = ["duplicates.reject=false"]
"""A faulty copy of a good photo is to be caught for its fault."""
LABELS = {"flip_risk", "mirror_unstable", "unstable_pose", "yaw_uncertain", "ambiguous", "bad_fit"}
"""Reasons that are about the label, not the picture."""
RESOLUTION = {"low_resolution", "head_too_small", "box_too_small", "crop_too_small"}


OVER = 0.9
"""Head radii between the heads of a person and of the one in front."""


@dataclass(frozen=True)
class Person:
    """A good person of a photo."""

    row: dict[str, Any]
    pixels: np.ndarray
    """H × W × 3 of the upright photo."""
    centre: np.ndarray
    """(2,) of the head, photo pixels."""
    radius: float
    """Of the head, photo pixels."""
    cutout: np.ndarray
    """S × S × 4 stored picture and mask."""

    @property
    def scale(self) -> float:
        """Photo pixels per stored pixel."""
        return float(self.row["source_px_per_px"])


Planted = tuple[np.ndarray, np.ndarray]
"""The faulty photo, and where the middle of the head lies in it."""


def head_of(row: dict[str, Any]) -> tuple[np.ndarray, float]:
    """(2,) centre and radius of a record's head, fractions of the stored image's side."""
    return head_disc(CameraLabel.of(row), BodyLabel.of(row).neck_head_pose)


def blurred(person: Person, _: Person) -> Planted:
    """Out of focus: a Gaussian of 5 stored pixels."""
    return cv2.GaussianBlur(person.pixels, (0, 0), 5 * max(person.scale, 0.5)), person.centre


def cut(person: Person, _: Person) -> Planted:
    """The photo begins a third of the way down the head."""
    top = int(max(0, person.centre[1] - person.radius / 3))
    return person.pixels[top:], person.centre - [0, top]


def occluded(person: Person, other: Person) -> Planted:
    """Another person, of the same size, stands in front, so that the heads overlap by 45 % of a disc."""
    side = round(len(other.cutout) * person.radius / (head_of(other.row)[1] * len(other.cutout)))
    cutout = cv2.resize(other.cutout, (side, side), interpolation=cv2.INTER_AREA)
    x, y = np.rint(person.centre + [OVER * person.radius, 0] - head_of(other.row)[0] * side).astype(int)
    photo = person.pixels.copy()
    height, width = photo.shape[:2]
    x0, y0, x1, y1 = max(x, 0), max(y, 0), min(x + side, width), min(y + side, height)
    part = cutout[y0 - y : y1 - y, x0 - x : x1 - x]
    alpha = part[..., 3:] / 255.0
    photo[y0:y1, x0:x1] = np.rint(alpha * part[..., :3] + (1 - alpha) * photo[y0:y1, x0:x1])
    return photo, person.centre


def crushed(person: Person, _: Person) -> Planted:
    """JPEG quality 8."""
    return jpeg(person.pixels, 8), person.centre


def dark(person: Person, _: Person) -> Planted:
    """A twenty-fifth of the light."""
    return np.rint(person.pixels * 0.04).astype(np.uint8), person.centre


def bright(person: Person, _: Person) -> Planted:
    """Blown: three times the values and more."""
    return np.clip(person.pixels * 3.0 + 90, 0, 255).astype(np.uint8), person.centre


def noisy(person: Person, _: Person) -> Planted:
    """Noise of 25 grey levels, coarse enough to be seen at the stored size."""
    shape = [max(8, round(n / max(person.scale, 1))) for n in person.pixels.shape[:2]]
    grain = np.random.default_rng(0).normal(0, 25, shape)
    noise = cv2.resize(grain, person.pixels.shape[1::-1], interpolation=cv2.INTER_NEAREST)[..., None]
    return np.clip(person.pixels + noise, 0, 255).astype(np.uint8), person.centre


def small(person: Person, _: Person) -> Planted:
    """Reduced until the crop has 120 pixels a side."""
    factor = 120 / person.row["crop_side_px"]
    return cv2.resize(person.pixels, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA), person.centre * factor


def duplicated(person: Person, _: Person) -> Planted:
    """The photo again, at nine tenths of its size and JPEG quality 80."""
    return jpeg(cv2.resize(person.pixels, None, fx=0.9, fy=0.9, interpolation=cv2.INTER_AREA), 80), person.centre * 0.9


def mirrored(person: Person, _: Person) -> Planted:
    """The photo's mirror image, JPEG quality 85."""
    flipped = np.ascontiguousarray(person.pixels[:, ::-1])
    return jpeg(flipped, 85), np.array([flipped.shape[1] - person.centre[0], person.centre[1]])


FAULTS: dict[str, Callable[[Person, Person], Planted]] = {
    f.__name__: f for f in (blurred, cut, occluded, crushed, dark, bright, noisy, small)
}
COPIES: dict[str, Callable[[Person, Person], Planted]] = {f.__name__: f for f in (duplicated, mirrored)}


def jpeg(pixels: np.ndarray, quality: int) -> np.ndarray:
    """The picture after a JPEG file of this quality."""
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG", quality=quality)
    return np.array(Image.open(stream))


def gather(folders: list[Path], most: int, out: Path) -> None:
    """Link photos evenly from the folders into one."""
    out.mkdir(parents=True, exist_ok=True)
    every = [sorted(p for p in folder.iterdir() if p.suffix.lower() in (".jpg", ".png")) for folder in folders]
    total = sum(map(len, every))
    for paths in every:
        count = min(len(paths), max(1, round(most * len(paths) / total)))
        for place in np.linspace(0, len(paths) - 1, count).round().astype(int):
            link = out / paths[place].name
            if not link.exists():
                link.symlink_to(paths[place].resolve())


def good_people(decided: Decided, photos: Path) -> list[Person]:
    """One person of each photo: the largest that is kept."""
    best: dict[str, dict[str, Any]] = {}
    for number in np.flatnonzero(decided.is_kept).tolist():
        row = decided.samples[number].row
        if row["crop_side_px"] > best.get(row["source_path"], {"crop_side_px": 0})["crop_side_px"]:
            best[row["source_path"]] = row
    found = []
    for name, row in sorted(best.items()):
        item = decided.samples[decided.samples.index_of(row["key"])]
        (x, y), radius = head_of(row)
        size, affine = row["image_size"], np.reshape(row["crop_to_source"], (2, 3))
        centre = apply_affine(affine, np.array([x, y]) * size)
        pixels = np.array(Image.open(photos / name).convert("RGB"))
        cutout = np.dstack([item.image, item.mask])
        found.append(Person(row, pixels, centre, radius * row["crop_side_px"], cutout))
    return found


def plant(people: list[Person], out: Path) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Write every faulty photo and the clean ones; the middle of the person's head by the photo's name, and that of the
    one in front, where there is one."""
    places: dict[str, np.ndarray] = {}
    others: dict[str, np.ndarray] = {}
    for number, person in enumerate(people):
        other = people[(number + 1) % len(people)]
        stem = Path(person.row["source_path"]).stem
        for kind, make in {"clean": lambda p, _: (p.pixels, p.centre), **FAULTS, **COPIES}.items():
            pixels, centre = make(person, other)
            name = f"{kind}/{stem}.png"
            places[name] = centre
            if kind == "occluded":
                others[name] = centre + [OVER * person.radius, 0]
            (out / kind).mkdir(parents=True, exist_ok=True)
            if not (out / name).exists():
                Image.fromarray(pixels).save(out / name, compress_level=1)
    return places, others


def at_place(decided: Decided, places: dict[str, np.ndarray], others: dict[str, np.ndarray]) -> dict[str, int]:
    """By photo the number of the sample whose head is nearest to the place, if it is within a head's radius
    and no nearer to the head of another person who was put there."""
    found: dict[str, tuple[float, int]] = {}
    for number in range(len(decided.before)):
        row = decided.samples[number].row
        if row["source_path"] not in places:
            continue
        (x, y), radius = head_of(row)
        affine = np.reshape(row["crop_to_source"], (2, 3))
        name, head = row["source_path"], apply_affine(affine, np.array([x, y]) * row["image_size"])
        off = np.linalg.norm(head - places[name]) / (radius * row["crop_side_px"])
        intruder = name in others and np.linalg.norm(head - others[name]) < np.linalg.norm(head - places[name])
        if not intruder and off < found.get(row["source_path"], (1.0, 0))[0]:
            found[row["source_path"]] = float(off), number
    return {name: number for name, (_, number) in found.items()}


def caught(decided: Decided, where: dict[str, int], names: list[str]) -> tuple[int, Counter[str]]:
    """How many of the photos have no kept sample at the place, and why."""
    reasons = decided.after["reason"].to_pylist()
    why = Counter("not found" if name not in where else reasons[where[name]] for name in names)
    return len(names) - why[""], why


def settled(decided: Decided, where: dict[str, int], kind: str, names: list[str]) -> tuple[int, Counter[str]]:
    """How many copies are not kept together with their originals, and why."""
    reasons = decided.after["reason"].to_pylist()
    why: Counter[str] = Counter()
    for name in names:
        pair = [where.get(n) for n in (name, name.replace(f"{kind}/", "clean/"))]
        said = ["not found" if number is None else reasons[number] for number in pair]
        why[said[0] or said[1]] += 1
    return len(names) - why[""], why


def turn_labels(folder: Path, decided: Decided, numbers: list[int]) -> None:
    """An overlay in which these samples look the other way."""
    turn = np.diag([-1.0, 1.0, -1.0, 1.0])
    rows = []
    for number in numbers:
        row = decided.samples[number].row
        camera = turn @ np.reshape(row["cam2world"], (4, 4))
        yaws = {n: (row[n] + 360) % 360 - 180 for n in ("camera_yaw_deg", "head_yaw_deg")}
        rows.append({"key": row["key"], "cam2world": camera.ravel().tolist(), **yaws})
    if "turned" not in decided.samples.overlays:
        write_overlay(folder, "turned", rows, ["cam2world", "camera_yaw_deg", "head_yaw_deg"], {"command": "planted"})


def line(kind: str, hit: int, total: int, why: Counter[str]) -> str:
    """A row of the table."""
    reasons = ", ".join(f"{name or 'kept'} {count}" for name, count in why.most_common(5))
    return f"| {kind} | {total} | {hit / max(total, 1):.0%} | {reasons} |"


def main() -> None:
    """Build, plant, build, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path)
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--photos", type=int, default=40)
    parser.add_argument("--workers", type=int, default=None)
    told = parser.parse_args()
    work = told.work.resolve()
    gather(told.folders, told.photos, work / "photos")
    clean = built(work / "photos", work / "clean", told.workers)
    people = good_people(clean, work / "photos")
    print(lost_lines(clean))
    places, others = plant(people, work / "faulty")
    decided = built(work / "faulty", work / "planted", told.workers)
    where = at_place(decided, places, others)
    once = decide_dataset(work / "planted", preset="default")
    print("\n| planted | photos | caught | by |\n|---|---|---|---|")
    for kind in (*FAULTS, *COPIES):
        names = [name for name in places if name.startswith(f"{kind}/")]
        hit, why = caught(decided, where, names) if kind in FAULTS else settled(once, where, kind, names)
        print(line(kind, hit, len(names), why))
    names = [name for name in places if name.startswith("clean/") and name in where and decided.is_kept[where[name]]]
    turn_labels(work / "planted", decided, [where[name] for name in names])
    again = decide_dataset(work / "planted", preset="default", sets=KEEP_COPIES)
    print(line("turned label", *_of(names, again, where, places)))


def _of(names: list[str], again: Decided, where: dict[str, int], places: dict[str, np.ndarray]) -> Any:
    hit, why = caught(again, {name: where[name] for name in names}, names)
    return hit, len(names), why


def built(photos: Path, out: Path, workers: int | None) -> Decided:
    """Everything scored and nothing rejected, then decided by `default`."""
    if not (out / "manifest.parquet").exists():
        build(photos, out, preset="everything", workers=workers)
    return decide_dataset(out, preset="default", sets=KEEP_COPIES)


def lost_lines(clean: Decided) -> str:
    """What `default` takes of the people of the photos as they are that are large enough for their crops."""
    reasons = Counter(clean.after["reason"].to_pylist())
    large = len(clean.before) - sum(reasons[name] for name in RESOLUTION)
    label = sum(reasons[name] for name in LABELS)
    picture = large - reasons[""] - label
    names = ", ".join(f"{name} {count}" for name, count in reasons.most_common() if name and name not in RESOLUTION)
    return (
        f"{len(clean.before)} people in the photos as they are, {large} of them large enough; "
        f"lost for the picture {picture / large:.1%}, for an uncertain label {label / large:.1%} ({names}); "
        f"{len(RULE_BY_ADDRESS)} thresholds can be set"
    )


if __name__ == "__main__":
    main()
