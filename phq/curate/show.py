"""`show`: one sample, its record in words and its labels drawn over its picture. What ``phq show`` does."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image as Pil
from PIL.PngImagePlugin import PngInfo

from phq.dataset.item import Item
from phq.dataset.overlays import LATEST
from phq.dataset.reader import Dataset
from phq.errors import InputError
from phq.pose.body import load_body
from phq.pose.render import draw_body, draw_skeleton
from phq.schema import SCHEMA_VERSION, Row, column_kind
from phq.shards.atomic import write_bytes
from phq.sheet import posed_vertices
from phq.work import Floats, Image

Fields = dict[str, Any]
_MATRICES = {"cam2world": 4, "intrinsics": 3, "crop_to_source": 3, "smpl_pose": 12, "keypoints_2d": 22}
"""Numbers in a line."""
_MOST_IN_A_LINE = 12
_MASK, _LANDMARK, _FACE, _BODY = (60, 255, 120), (255, 220, 0), (255, 90, 200), (90, 170, 255)
_SEEN = 0.5
"""Least visibility of a landmark that is drawn large."""


@dataclass(frozen=True)
class Shown:
    """A sample."""

    key: str
    text: str
    picture: Path | None
    """Where the picture is; None if none was asked for."""


def show(
    dataset: str | Path, key: str, *, overlay: str | None = LATEST, out: str | Path | None = None
) -> Shown:
    """The record of a sample, kept or rejected, and on demand a picture of it.

    Args:
        dataset: folder or URL. key: whole, or the beginning of one key alone.
        overlay: the state, see `phq.dataset.overlays.names_up_to`; what an overlay has changed is marked.
        out: PNG to write: the picture; mask outline, landmarks and face; body and skeleton, side by side.

    Raises:
        InputError: no dataset or state, no such key or several, or a picture of a reject, of which none is stored.
        OutputError: the PNG cannot be written, or something is in the way.
    """
    opened = Dataset(dataset, overlay=overlay, rejects=True)
    found = whole_key(opened, key)
    item = opened[found]
    row, before = item.row, Dataset(dataset, overlay=None, rejects=True)[found].row
    picture = Path(out) if out is not None else None
    if picture is not None:
        write_bytes(picture, _png(draw(item)))
    return Shown(found, "\n".join(_lines(row, before)), picture)


def whole_key(dataset: Dataset, start: str) -> str:
    """The one key that starts so.

    Raises:
        InputError: none does, or several do; the message lists some.
    """
    if start in dataset:
        return start
    found = sorted({key for key in dataset.keys if key and start and key.startswith(start)})
    if not found:
        raise InputError(f"{dataset.root.where} has no sample {start!r}")
    if len(found) > 1:
        listed = ", ".join(found[:5]) + (" …" if len(found) > 5 else "")
        raise InputError(f"{len(found)} samples start with {start!r}: {listed}")
    return found[0]


def draw(item: Item) -> Image:
    """S × 3·S × 3 RGB, S the side of the stored picture: it, what was seen in it, and the body that was fitted.

    Raises:
        InputError: nothing is stored of this sample.
    """
    picture, row = item.image, item.row
    size = picture.shape[0]
    K = np.diag([size, size, 1.0]) @ np.reshape(row["intrinsics"], (3, 3))
    seen = _with_landmarks(_with_outline(picture, item.mask), row)
    drawn = draw_body(picture, posed_vertices(row), load_body().faces, K, colour=_BODY, opacity=0.5)
    body = load_body()
    pose, betas, transl = (np.asarray(row[name], float) for name in ("smpl_pose", "smpl_betas", "smpl_transl"))
    drawn = draw_skeleton(drawn, body.forward(pose, betas, transl)[1], body.parents, K, thickness=max(1, size // 256))
    return np.hstack([picture, seen, _with_words(drawn, row)])


def _with_outline(picture: Image, mask: Image) -> Image:
    outline = picture.copy()
    edges, _ = cv2.findContours((mask > 127).astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(outline, edges, -1, _MASK, max(1, len(picture) // 256))
    return outline


def _with_landmarks(picture: Image, row: Mapping[str, Any]) -> Image:
    """The picture with landmarks (large where the network says it sees them), box and points of the face."""
    drawn, radius = picture.copy(), max(1, len(picture) // 170)
    for (x, y), visibility in zip(_to_crop(row), row["keypoints_visibility"], strict=True):
        if 0 <= x < len(picture) and 0 <= y < len(picture):
            _dot(drawn, (x, y), _LANDMARK, radius if visibility >= _SEEN else max(1, radius // 2))
    if row["face_found"]:
        x0, y0, x1, y1 = (round(value) for value in row["face_box"])
        cv2.rectangle(drawn, (x0, y0), (x1, y1), _FACE, radius // 2 + 1)
        for point in np.reshape(row["face_points"], (-1, 2)).tolist():
            _dot(drawn, point, _FACE, radius)
    return drawn


def _dot(picture: Image, point: Any, colour: tuple[int, int, int], radius: int) -> None:
    centre = (int(point[0]), int(point[1]))
    cv2.circle(picture, centre, radius + 1, (0, 0, 0), -1, cv2.LINE_AA)
    cv2.circle(picture, centre, radius, colour, -1, cv2.LINE_AA)


def _to_crop(row: Mapping[str, Any]) -> Floats:
    """(33, 2) landmarks in crop pixels."""
    to_source = np.vstack([np.reshape(row["crop_to_source"], (2, 3)), [0, 0, 1]])
    points = np.reshape(row["keypoints_2d"], (-1, 2))
    return np.asarray((np.hstack([points, np.ones((len(points), 1))]) @ np.linalg.inv(to_source).T)[:, :2])


def _with_words(picture: Image, row: Mapping[str, Any]) -> Image:
    written = picture.copy()
    scale = max(0.35, len(picture) / 900)
    lines = [
        f"{part} " + " ".join(f"{axis} {row[f'{part}_{axis}_deg']:.0f}" for axis in ("yaw", "pitch", "roll"))
        for part in ("camera", "head")
    ]
    for number, line in enumerate(lines):
        place = (6, round(len(picture) - 8 - 30 * scale * (len(lines) - 1 - number)))
        for colour, width in (((0, 0, 0), 3), ((255, 255, 255), 1)):
            cv2.putText(written, line, place, cv2.FONT_HERSHEY_SIMPLEX, scale, colour, width, cv2.LINE_AA)
    return written


def _png(picture: Image) -> bytes:
    stream, signature = io.BytesIO(), PngInfo()
    signature.add_text("Software", SCHEMA_VERSION)  # so that a redaction knows it, see phq.curate.derived
    Pil.fromarray(picture).save(stream, "PNG", pnginfo=signature)
    return stream.getvalue()


def _lines(row: Fields, before: Fields) -> Iterator[str]:
    """Every field that is known, with its description; what overlays have changed with the value as built."""
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
