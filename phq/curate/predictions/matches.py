"""Which prediction is about which sample: by key, or by photo and box."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

import numpy as np

from phq.curate.predictions.files import PredictedRow, stems
from phq.dataset.reader import Dataset
from phq.detect.boxes import iou
from phq.photos.same_path import spelled_alike
from phq.photos.turn import to_turned
from phq.schema import BOX
from phq.system.arrays import Doubles

OVERLAP = 0.5
"""Least intersection over union of a stated box and the person's."""
HEAD_OVERLAP = 0.3
"""The same of a stated box and the head's."""
HEAD = (0.2, 0.0, 0.8, 0.6)
"""The head in a headshot, fractions of its side."""
_COLUMNS = ("source_path", "source_sha256", "image_width", "image_height", "photo_turn_deg", *BOX)
_SQUARE = ("crop_to_source", "image_size")


@dataclass(frozen=True)
class Left:
    """A row that is about no sample."""

    where: str
    kind: str
    """Of the reason, for counting."""
    why: str


@dataclass
class Matches:
    """Rows and their samples."""

    pairs: list[tuple[int, PredictedRow]] = field(default_factory=list)
    """Number of the sample and its row, in the order of samples."""
    left: list[Left] = field(default_factory=list)
    unmatched: int = 0
    """Samples without a row."""

    def counts(self) -> dict[str, int]:
        """Rows that are about no sample, by the kind of the reason, most frequent first."""
        return dict(Counter(left.kind for left in self.left).most_common())

    def sentences(self, examples: int = 3) -> Iterator[str]:
        """What did not match and why, with some examples each."""
        for kind, count in self.counts().items():
            yield f"  {count:6d}  {kind}"
            for left in [left for left in self.left if left.kind == kind][:examples]:
                yield f"          {left.where}: {left.why}"


def match(rows: Sequence[PredictedRow], samples: Dataset, head: bool) -> Matches:
    """Rows with their samples.

    Args:
        rows: in the order of the file.
        samples: those that labels are taken for.
        head: boxes may be those of heads.
    """
    return _Matching(samples, head).run(rows)


class _Matching:
    def __init__(self, samples: Dataset, head: bool) -> None:
        self.names = list(samples.keys)
        self.keys = {key: number for number, key in enumerate(self.names)}
        self.table = samples.columns([*_COLUMNS, *(_SQUARE if head else ())]).to_pylist()
        self.head = head
        self.photos = _Photos([(row["source_path"], row["source_sha256"]) for row in self.table])
        self.found = Matches()

    def run(self, rows: Sequence[PredictedRow]) -> Matches:
        by_key: dict[int, list[PredictedRow]] = defaultdict(list)
        by_photo: dict[tuple[int, ...], list[PredictedRow]] = defaultdict(list)
        for row in rows:
            if row.fault:
                self._leave(row, "rows with numbers that cannot be used", row.fault)
            elif "key" in row.names:
                self._by_key(row, by_key)
            else:
                self._by_photo(row, by_photo)
        pairs = dict(self._keyed(by_key))
        for people, of_photo in by_photo.items():
            for number, row in self._in_photo(people, of_photo):
                if number in pairs:
                    self._second(row, number)
                else:
                    pairs[number] = row
        self.found.pairs = sorted(pairs.items(), key=lambda pair: pair[0])
        self.found.unmatched = len(self.table) - len(pairs)
        return self.found

    def _leave(self, row: PredictedRow, kind: str, why: str) -> None:
        self.found.left.append(Left(row.where, kind, why))

    def _second(self, row: PredictedRow, number: int) -> None:
        self._leave(row, "rows for a person who has another row", f"sample {self.names[number]} has a better row")

    def _by_key(self, row: PredictedRow, by_key: dict[int, list[PredictedRow]]) -> None:
        key = row.names["key"]
        if key not in self.keys:
            self._leave(row, "rows for samples that are not here", f"there is no sample {key}")
        else:
            by_key[self.keys[key]].append(row)

    def _keyed(self, by_key: Mapping[int, list[PredictedRow]]) -> Iterator[tuple[int, PredictedRow]]:
        """Of several rows for one key none is better than the others, so none is taken."""
        for number, rows in by_key.items():
            if len(rows) == 1:
                yield number, rows[0]
            for row in rows if len(rows) > 1 else ():
                why = f"{len(rows)} rows have the key {self.names[number]}; none is taken"
                self._leave(row, "rows with the key of another row", why)

    def _by_photo(self, row: PredictedRow, by_photo: dict[tuple[int, ...], list[PredictedRow]]) -> None:
        photos, why = self.photos.people_of(row.names)
        if not photos:
            self._leave(row, "rows whose photo is not here", why)
        elif why := self._other_size(row, photos[0][0]):
            self._leave(row, "rows of a picture of another size", why)
        else:
            for people in photos:
                by_photo[people].append(row)

    def _other_size(self, row: PredictedRow, number: int) -> str:
        size = row.numbers.get("image_size")
        if size is None or size.size != 2:
            return ""
        sample = self.table[number]
        own = sample["image_width"], sample["image_height"]
        own = own[::-1] if sample["photo_turn_deg"] % 180 else own
        width, height = (round(float(side)) for side in size.ravel())
        if (width, height) == own:
            return ""
        turned = "; it was read without its EXIF orientation" if (height, width) == own and own[0] != own[1] else ""
        return f"{width} × {height} pixels are stated, the photo has {own[0]} × {own[1]}{turned}"

    def _in_photo(self, people: Sequence[int], rows: list[PredictedRow]) -> Iterator[tuple[int, PredictedRow]]:
        """Pairs of one photo, the best overlap first."""
        boxed = [row for row in rows if _has_box(row)]
        for row in [row for row in rows if not _has_box(row)]:
            if len(people) == 1 and len(rows) == 1:
                yield people[0], row
            else:
                why = f"it has no box, and its photo has {len(people)} people and {len(rows)} rows"
                self._leave(row, "rows without a box", why)
        score = np.array([[self._overlap(row, number) for number in people] for row in boxed])
        taken: dict[int, int] = {}
        for flat in np.argsort(-score, axis=None, kind="stable") if boxed else ():
            i, j = divmod(int(flat), len(people))
            if score[i, j] >= 1 and i not in taken and j not in taken.values():
                taken[i] = j
                yield people[j], boxed[i]
        for i in sorted(set(range(len(boxed))) - set(taken)):
            if score[i].max() >= 1:
                self._second(boxed[i], people[int(score[i].argmax())])
            else:
                self._leave(
                    boxed[i], "rows whose box is nobody's", "its box overlaps with nobody's of the photo enough"
                )

    def _overlap(self, row: PredictedRow, number: int) -> float:
        """From 1 up it is the same person."""
        sample, (box, square) = self.table[number], stated_box(row)
        own = np.array([sample[name] for name in BOX])
        box = _upright(box, sample)
        if square:  # its side is the program's own choice: the middles are compared
            apart = np.abs((box[:2] + box[2:]) - (own[:2] + own[2:])).max() / 2
            return float(1.5 - 2 * apart / max(own[2] - own[0], own[3] - own[1], 1e-9))
        found = float(iou(own[None], box[None])[0, 0]) / OVERLAP
        if self.head:
            affine = np.reshape(sample["crop_to_source"], (2, 3))
            head = np.reshape(HEAD, (2, 2)) * sample["image_size"] * affine[0, 0] + affine[:, 2]
            found = max(found, float(iou(head.reshape(1, 4), box[None])[0, 0]) / HEAD_OVERLAP)
        return found


def _has_box(row: PredictedRow) -> bool:
    return stated_box(row)[0].size == 4


def stated_box(row: PredictedRow) -> tuple[Doubles, bool]:
    """(4,) x0, y0, x1, y1 in pixels of the upright photo, and whether it is a square of the program's own size; of no
    elements where none is stated."""
    numbers = {name: value.ravel() for name, value in row.numbers.items()}
    if "box" in numbers and numbers["box"].size >= 4:  # some write a score after it
        return numbers["box"][:4], False
    if "box_xywh" in numbers and numbers["box_xywh"].size >= 4:
        x, y, width, height = numbers["box_xywh"][:4]
        return np.array([x, y, x + width, y + height]), False
    if "box_center" in numbers and numbers["box_center"].size == 2:
        half = float(numbers.get("box_size", np.ones(1)).max()) / 2
        return np.concatenate([numbers["box_center"] - half, numbers["box_center"] + half]), True
    return np.zeros(0), False


def _upright(box: Doubles, sample: Mapping[str, Any]) -> Doubles:
    """A box of the photo in the pixels of a record whose photo phq has turned."""
    degrees = sample["photo_turn_deg"]
    if not degrees:
        return box
    corners = to_turned(box.reshape(2, 2), degrees, sample["image_width"], sample["image_height"])
    return np.concatenate([corners.min(0), corners.max(0)])


class _Photos:
    """People by photo, under any of its names."""

    def __init__(self, photos: Sequence[tuple[str, str]]) -> None:
        people: dict[str, list[int]] = defaultdict(list)
        self.digests: dict[str, str] = {}
        for number, (path, digest) in enumerate(photos):
            people[path].append(number)
            self.digests[path] = digest
        self.people = {path: tuple(numbers) for path, numbers in people.items()}
        self.by_digest: dict[str, list[str]] = defaultdict(list)
        for path, digest in self.digests.items():
            self.by_digest[digest].append(path)
        self.ends: dict[str, list[str]] = defaultdict(list)
        for path in self.people:
            plain = PurePosixPath(spelled_alike(path))
            self.ends[plain.name].append(path)
            self.ends[plain.stem].append(path)

    def people_of(self, names: Mapping[str, str]) -> tuple[list[tuple[int, ...]], str]:
        """Numbers of the samples of a photo, and of each copy of it where it is named by its bytes; none, and why, if
        it is not one photo of the dataset."""
        stated, digest = names.get("photo", ""), names.get("sha256", "").lower()
        if digest:
            copies = [self.people[path] for path in self.by_digest.get(digest, ())]
            return copies, "" if copies else f"no photo has the sha256 {digest}"
        if not stated:
            return [], "it names neither a sample (key) nor a photo (photo, sha256)"
        for name in stems(spelled_alike(stated)):
            paths = self._paths(name)
            if len(paths) == 1:
                return [self.people[paths[0]]], ""
            if paths:
                return [], f"{stated} could be {paths[0]} or {paths[1]}; state more of the path, or sha256"
        return [], f"there is no photo {stated}"

    def _paths(self, name: str) -> list[str]:
        """Photos whose path a name ends with, or which end with it; the suffix may be missing."""
        if name in self.people:
            return [name]
        paths = self.ends.get(PurePosixPath(name).name, [])
        return [path for path in paths if _ends_alike(spelled_alike(path), name)]


def _ends_alike(path: str, name: str) -> bool:
    one, other = PurePosixPath(path), PurePosixPath(name)
    if one.name != other.name:
        one = one.with_suffix("")
    shorter = min(len(one.parts), len(other.parts))
    return one.parts[-shorter:] == other.parts[-shorter:]
