"""`show`: the record of one sample in words, and its labels drawn over its picture. What ``phq show`` does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc

from phq.dataset.item import Item
from phq.dataset.named_photo import at_path, digest_of_file
from phq.dataset.overlays import LATEST
from phq.dataset.reader import Dataset
from phq.dataset.thresholds import thresholds_in_force
from phq.decisions.rules import SCORED, broken, scores_of
from phq.errors import InputError
from phq.schema import Row, column_kind
from phq.system.atomic import disk_errors_explained, write_bytes

Fields = dict[str, Any]
_MATRICES = {"cam2world": 4, "intrinsics": 3, "crop_to_source": 3, "smpl_pose": 12, "keypoints_2d": 22}
"""Numbers a line."""
_MOST_IN_A_LINE = 12
_DECIDED = ("source_path", "person_index", "key", "decision", "reason", "detail", "score_name", "threshold", "margin")


@dataclass(frozen=True)
class Shown:
    """A sample."""

    key: str
    """'' where a photo was named that has no sample, or several people."""
    row: Fields
    """Its record, with the overlays applied."""
    text: str
    """The same in words, with the description of each field; of a photo, a line for each of its people."""
    picture: Path | None
    """The picture of its labels, if one was requested."""
    people: Sequence[Fields] = ()
    """Of a photo, what was decided of each person: `_DECIDED`; ``value``, the score of the nearest threshold, None if
    no threshold applied; and ``also``, a sentence for each broken threshold but that of the reason, worst first."""


@disk_errors_explained
def show(
    dataset: str | Path,
    key: str,
    *,
    revision: str | None = LATEST,
    out: str | Path | None = None,
    body: str | None = None,
) -> Shown:
    """The record of a sample, kept or rejected, and on demand a picture of its labels.

    Args:
        dataset: folder or URL.
        key: a whole key, the beginning of exactly one, or the path of a photo, the end of it from a name on, or a file
            with the same bytes: then what was decided of each of its people.
        revision: see `phq.dataset.overlays.names_up_to`; fields that an overlay has changed are marked.
        out: PNG to write: the picture; mask outline, landmarks and face; body and skeleton, side by side. Of existing
            files, only a picture that phq drew is replaced.
        body: spec of `phq.pose.body_choice`, to draw records that name that body; without it the embedded body is
            drawn for them, from the labels below theirs, and a note on the picture says so.

    Raises:
        InputError: no dataset or revision, no such key or several, or a picture of a reject without a stored one.
        ConfigError: the body cannot be chosen.
        WeightError: the body's file cannot be used.
        MissingExtraError: the body needs a package that is not installed.
        OutputError: the PNG has another suffix, cannot be written, or would replace a file that phq did not draw.
    """
    picture = _checked(Path(out)) if out is not None else None
    opened = Dataset(dataset, revision=revision, rejects=True)
    people = () if key in opened else _people_of(opened, key)
    if people and (out is None or len(people) > 1 or not people[0]["key"]):
        return Shown("", {}, "\n".join(map(_decided, people)), None, people)
    found = whole_key(opened, people[0]["key"] if people else key)
    item = opened[found]
    row = item.row
    before = Dataset(dataset, revision=None, rejects=True)[found].row if opened.overlays else row
    if picture is not None:
        _draw(picture, opened, item, body)
    return Shown(found, row, "\n".join(_lines(row, before)), picture)


def _checked(out: Path) -> Path:
    from phq.dataset.derived import check_drawing  # Pillow, OpenCV and the body: not for a record in words

    return check_drawing(out, ".png")


def _draw(out: Path, dataset: Dataset, item: Item, body: str | None) -> None:
    from phq.dataset.derived import signed_png
    from phq.dataset.embedded import bodies_of
    from phq.view.picture import draw

    write_bytes(out, signed_png(draw(item, bodies_of(dataset, body))))


def whole_key(dataset: Dataset, start: str) -> str:
    """The only key that begins with `start`.

    Raises:
        InputError: no key does, or several do; the message lists some.
    """
    if start in dataset:
        return start
    found = sorted({key for key in dataset.keys if key and start and key.startswith(start)})
    if not found:
        raise InputError(f"{dataset.root.where} has no sample {start!r}, and no photo of that name")
    if len(found) > 1:
        listed = ", ".join(found[:5]) + (" …" if len(found) > 5 else "")
        raise InputError(f"{len(found)} samples start with {start!r}: {listed}")
    return found[0]


def _people_of(dataset: Dataset, photo: str) -> list[Fields]:
    """See `Shown.people`: of the people of a photo, or of the photo itself where nobody was found in it."""
    named = at_path(dataset.columns(["source_path"])["source_path"], photo, ends=True)
    if not pc.any(named).as_py() and (digest := digest_of_file(photo)):
        named = pc.equal(dataset.columns(["source_sha256"])["source_sha256"], digest)
    rows = np.flatnonzero(np.asarray(pc.fill_null(named, False))).tolist()
    if not rows:
        return []
    limits = thresholds_in_force(dataset)
    table = dataset.select(rows).columns(tuple(dict.fromkeys((*_DECIDED, *SCORED))))
    people = [_with_broken(row, limits) for row in table.to_pylist()]
    return sorted(people, key=lambda row: (row["source_path"], row["person_index"] or 0))


def _with_broken(row: Fields, limits: Mapping[str, float]) -> Fields:
    scores = scores_of({name: row[name] for name in SCORED if row[name] is not None})
    also = [words for rule, words in broken(scores, limits) if rule.reason != row["reason"]] if row["reason"] else []
    return {**{name: row[name] for name in _DECIDED}, "value": scores.get(row["score_name"]), "also": also}


def _decided(row: Fields) -> str:
    """One line: which person of which photo, its key, and why it was rejected."""
    who = f"{row['source_path']}   person {row['person_index'] or 0}   {row['key'] or 'no key'}   {row['decision']}"
    because = f": {row['reason']}" if row["reason"] else ""
    value = "" if row["value"] is None else f" {row['value']:.4g}"
    nearest = (
        f", {row['score_name']}{value} is nearest to its threshold {row['threshold']:g}" if row["score_name"] else ""
    )
    also = "".join(f"; also {words}" for words in row["also"])
    return f"{who}{because}{'   ' + row['detail'] if row['detail'] else nearest}{also}"


def _lines(row: Fields, before: Fields) -> Iterator[str]:
    """Every known field with its description; where an overlay has changed it, also the value as built."""
    known = [name for name in (*Row.model_fields, *sorted(row.keys() - Row.model_fields.keys())) if name in row]
    for name in (name for name in known if row[name] is not None):
        field = Row.model_fields.get(name)
        about = f"   {field.description}" if field is not None and field.description else ""
        changed = "" if name in before and before[name] == row[name] else f"   [as built: {_words(before.get(name))}]"
        if field is not None and column_kind(name)[1]:
            yield f"{name:<24}{about.lstrip()}{changed and '   [changed by an overlay]'}"
            yield from _numbers(name, row[name])
        else:
            yield f"{name:<24}{_words(row[name])}{changed}{about}"


def _words(value: Any) -> str:
    if value is None:
        return "unknown"
    return f"{value:.6g}" if isinstance(value, float) else repr(value) if value == "" else str(value)


def _numbers(name: str, values: list[Any]) -> Iterator[str]:
    width = _MATRICES.get(name, _MOST_IN_A_LINE)
    for start in range(0, len(values), width):
        yield "    " + " ".join(f"{float(value):9.4g}" for value in values[start : start + width])
