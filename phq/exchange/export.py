"""`export_labels`: a phq dataset as a labelled image set that the loaders of four generators take."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as Pil
from pydantic import ValidationError
from tqdm import tqdm

from phq.config.build import Read
from phq.dataset.folder import MANIFEST, SPLITS
from phq.dataset.overlays import LATEST
from phq.dataset.reader import Dataset
from phq.dataset.tar import read_member
from phq.errors import ConfigError, InputError
from phq.exchange.archive import INDEX, ORIGIN, Sink, open_sink
from phq.exchange.crops import Photos, from_crop, mask_part, window_box
from phq.exchange.formats import LabelFormat, label_format
from phq.schema import SCHEMA_VERSION
from phq.system.arrays import Image

Fields = dict[str, Any]
COLUMNS = (
    "key", "split", "source_path", "source_sha256", "cam2world", "intrinsics", "neck_head_pose", "image_size",
    "crop_to_source", "photo_in_crop", "shard", "jpg_offset", "jpg_size", "mask_offset", "mask_size",
)  # fmt: skip


@dataclass(frozen=True)
class Exported:
    """What an export wrote."""

    images: Path
    masks: Path | None
    count: int
    beyond_photo: float
    """Mean fraction of the pictures that lies beyond the photo (or the stored crop) and is made up."""


def export_labels(  # noqa: PLR0913 - the options of the command
    dataset: str | Path,
    out: str | Path,
    format: str,
    *,
    split: str | None = None,
    as_zip: bool | None = None,
    masks: bool = True,
    size: int | None = None,
    raw: str | Path | None = None,
    overlay: str | None = LATEST,
    quiet: bool = True,
) -> Exported:
    """Write pictures and ``dataset.json`` for the loader of a generator; the same call gives the same bytes.

    Every picture is what the format's own camera sees: for 3DPortraitGAN the stored crop itself, for the head formats
    the square about the head that `phq.exchange.formats` describes, cut from the stored crop, or from the photo with
    `raw`. Pictures are RGB PNG without compression, masks one-channel PNG, 0 or 255, under the same names.

    Args:
        dataset: folder of a phq dataset.
        out: a zip or a folder; the masks go beside it, with ``-mask`` at the end of the name.
        format: a name of `phq.exchange.formats.FORMATS`.
        split: train or val; both by default.
        as_zip: by default, whether `out` ends in ``.zip``. 3DPortraitGAN's loader takes zips alone.
        masks: write them (PanoHead, SphereHead and 3DPortraitGAN train with them).
        size: side of the pictures, pixels; by default that of the stored crops. The networks want a power of two.
        raw: folder of the photos the dataset was built from, in which they are found by their sha256: full detail, and
            real surroundings where a picture reaches beyond the stored crop. Masks still end with the crop.
        overlay: the state, see `phq.dataset.overlays.names_up_to`.
        quiet: no progress bar.

    Raises:
        ConfigError: unknown format or split, or a folder for a loader that takes none.
        InputError: no dataset or state, nothing in the split, crops of several sizes and no `size`, a photo that is
            not there.
        OutputError: something is in the way, or cannot be written.
    """
    kind, (out, mask_out, zipped) = label_format(format), _outputs(Path(out), as_zip)
    if kind.zip_only and not zipped:
        raise ConfigError(f"the loader of {kind.name} reads zips alone; give the output a name that ends in .zip")
    rows = _rows(Path(dataset), split, overlay)
    side = size or _common_size(rows)
    photos = Photos(Path(raw), _read_settings(Path(dataset))) if raw else None
    with ExitStack() as stack:
        images = stack.enter_context(open_sink(out, zipped))
        mask_sink = stack.enter_context(open_sink(mask_out, zipped)) if masks else None
        beyond = []
        for index, row in enumerate(tqdm(rows, unit="image", desc="export", disable=quiet)):
            name = kind.image_name(index)
            picture, outside = _picture(Path(dataset), row, kind, side, photos)
            images.add(name, _png(picture))
            if mask_sink:
                mask_sink.add(name, _png(_mask(Path(dataset), row, kind, side)))
            beyond.append(outside)
        _write_index([images, *([mask_sink] if mask_sink else [])], rows, kind)
    return Exported(out, mask_out if masks else None, len(rows), float(np.mean(beyond)))


def _outputs(out: Path, as_zip: bool | None) -> tuple[Path, Path, bool]:
    """Places of the pictures and of the masks, and whether they are zips (which the loaders know by their suffix)."""
    named = out.suffix.lower() == ".zip"
    if as_zip is False or (as_zip is None and not named):
        return out, out.with_name(f"{out.name}-mask"), False
    stem = out.stem if named else out.name
    return out.with_name(f"{stem}.zip"), out.with_name(f"{stem}-mask.zip"), True


def _rows(dataset: Path, split: str | None, overlay: str | None) -> list[Fields]:
    if split not in (None, *SPLITS):
        raise ConfigError(f"unknown split {split!r}; there are: {', '.join(SPLITS)}")
    if not (dataset / MANIFEST).is_file():
        raise InputError(f"{dataset} is no phq dataset: it has no {MANIFEST}")
    rows: list[Fields] = Dataset(dataset, split=split, overlay=overlay).columns(COLUMNS).to_pylist()
    if not rows:
        raise InputError(f"{dataset} holds no samples" + (f" in the split {split}" if split else ""))
    return rows


def _common_size(rows: list[Fields]) -> int:
    sizes = sorted({int(row["image_size"]) for row in rows})
    if len(sizes) > 1:
        raise InputError(f"the crops have sides from {sizes[0]} to {sizes[-1]} pixels; choose one size for all")
    return sizes[0]


def _read_settings(dataset: Path) -> Read:
    """How the photos were read when the dataset was built (largest photo, colour under transparent pixels)."""
    try:
        return Read.model_validate(json.loads((dataset / "run.json").read_text(encoding="utf-8"))["config"]["read"])
    except (OSError, ValueError, KeyError, ValidationError):
        return Read()


def _picture(dataset: Path, row: Fields, kind: LabelFormat, size: int, photos: Photos | None) -> tuple[Image, float]:
    box = window_box(row, kind.window(*_camera(row)))
    if photos is not None:
        return photos.cut(row, box, size)
    return from_crop(row, read_member(dataset / row["shard"], row["jpg_offset"], row["jpg_size"]), box, size)


def _mask(dataset: Path, row: Fields, kind: LabelFormat, size: int) -> Image:
    png = read_member(dataset / row["shard"], row["mask_offset"], row["mask_size"])
    return mask_part(png, window_box(row, kind.window(*_camera(row))), size)


def _camera(row: Fields) -> tuple[np.ndarray, np.ndarray]:
    return np.reshape(row["cam2world"], (4, 4)), np.array(row["neck_head_pose"])


def _png(pixels: Image) -> bytes:
    stream = io.BytesIO()
    Pil.fromarray(pixels).save(stream, "PNG", compress_level=0)  # as upstream stores them: fast to decode in training
    return stream.getvalue()


def _write_index(sinks: list[Sink], rows: list[Fields], kind: LabelFormat) -> None:
    labels = [[kind.image_name(i), kind.written(kind.encode(*_camera(row)))] for i, row in enumerate(rows)]
    origin = {
        "format": kind.name,
        "schema_version": SCHEMA_VERSION,
        "samples": list(_notes(rows, kind)),
    }
    content = json.dumps({"labels": labels, ORIGIN: origin}, separators=(",", ":"), allow_nan=False).encode()
    for sink in sinks:
        sink.add(INDEX, content)


def _notes(rows: list[Fields], kind: LabelFormat) -> Iterator[list[Any]]:
    for index, row in enumerate(rows):
        yield [kind.image_name(index), row["key"], row["neck_head_pose"]]
