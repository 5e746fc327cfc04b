"""`export_labels`: a phq dataset as a labelled image set for the loaders of four generators. ``phq export labels``."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as Pil

from phq.dataset.overlays import LATEST
from phq.dataset.reader import Dataset
from phq.errors import ConfigError, InputError
from phq.exchange.archive import INDEX, ORIGIN, Sink, open_sinks
from phq.exchange.crops import Photos, fillable, from_crop, mask_part, window_box
from phq.exchange.formats import LabelFormat, label_format
from phq.schema import SCHEMA_VERSION
from phq.system.arrays import Image
from phq.system.atomic import disk_errors_explained
from phq.system.bars import bar
from phq.system.sizes import say_size

Fields = dict[str, Any]
COLUMNS = (
    "key", "split", "source_path", "source_sha256", "cam2world", "intrinsics", "neck_head_pose", "image_size",
    "crop_to_source", "photo_in_crop", "photo_turn_deg",
)  # fmt: skip


@dataclass(frozen=True)
class Exported:
    """Files of an export, and its counts."""

    images: Path
    masks: Path | None
    count: int
    size: int
    """Side of the pictures, pixels."""
    beyond_photo: float
    """Mean fraction of the pictures beyond the photo (or the stored crop), where they are made up."""
    fillable: float
    """Most of that which the photos may have; 0 where the pictures were cut from them."""


@disk_errors_explained
def export_labels(  # noqa: PLR0913 - the options of the command
    dataset: str | Path,
    out: str | Path,
    format: str,
    *,
    split: str | None = None,
    as_zip: bool | None = None,
    masks: bool = True,
    size: int | None = None,
    photos: str | Path | None = None,
    revision: str | None = LATEST,
    quiet: bool = True,
) -> Exported:
    """Write pictures and ``dataset.json`` for the loader of a generator; the same call gives the same bytes.

    Every picture is the view of the format's own camera: for 3DPortraitGAN the stored crop's, for the head formats the
    square about the head that `phq.exchange.formats` describes; cut from the stored crop, or from the photo with
    `photos`. Pictures are RGB PNG without compression, masks one-channel PNG, 0 or 255, under the same names.

    Args:
        dataset: folder or URL.
        out: a zip or a folder; the masks go beside it, with ``-mask`` at the end of the name.
        format: a name of `phq.exchange.formats.FORMATS`.
        split: train or val; both by default.
        as_zip: by default, whether `out` ends in ``.zip``. 3DPortraitGAN's loader only reads zips.
        masks: write them (PanoHead, SphereHead and 3DPortraitGAN train with them).
        size: side of the pictures, pixels; by default that of the stored crops. The networks want a power of two.
        photos: folder, list or glob of the photos the dataset was built from, found by their sha256: full detail, and
            real surroundings where a picture reaches beyond the stored crop. Masks still end with the crop.
        revision: see `phq.dataset.overlays.names_up_to`.
        quiet: no progress bar.

    Raises:
        ConfigError: unknown format, or a folder for a loader that only reads zips.
        InputError: no such dataset, split or revision, no samples in it, crops of several sizes without `size`, or a
            photo that is missing.
        OutputError: something exists under the name of the output, or it cannot be written.
    """
    kind, (out, mask_out, zipped) = label_format(format), _outputs(Path(out), as_zip)
    if kind.zip_only and not zipped:
        raise ConfigError(f"the loader of {kind.name} only reads zips; give the output a name that ends in .zip")
    samples = Dataset(dataset, split=split, revision=revision)
    rows: list[Fields] = samples.columns(COLUMNS).to_pylist()
    if not rows:
        raise InputError(f"{dataset} has no samples" + (f" in the split {split}" if split else ""))
    side = size or _common_size(rows)
    source = None if photos is None else Photos(photos, rows, samples.run)
    beyond, more = [], []
    with open_sinks([out, mask_out] if masks else [out], zipped) as sinks:
        images, mask_sink = sinks[0], sinks[1] if masks else None
        say_size(f"writing {len(rows)} pictures to {out}", len(rows) * side**2 * (4 if masks else 3), quiet)
        for index, row in enumerate(bar(rows, unit="image", desc="export", quiet=quiet)):
            name, box = kind.image_name(index), window_box(row, kind.window(*_camera(row)))
            cut = from_crop(row, samples.read(index), box, side) if source is None else source.cut(row, box, side)
            images.add(name, _png(cut[0]))
            if mask_sink:
                mask_sink.add(name, _png(mask_part(samples.read(index, "mask.png"), box, side)))
            beyond.append(cut[1])
            more.append(fillable(row, box) if source is None else 0.0)
        _write_index(sinks, rows, kind)
    return Exported(out, mask_out if masks else None, len(rows), side, float(np.mean(beyond)), float(np.mean(more)))


def _outputs(out: Path, as_zip: bool | None) -> tuple[Path, Path, bool]:
    """Paths of the pictures and of the masks, and whether they are zips (which the loaders know by their suffix)."""
    named = out.suffix.lower() == ".zip"
    if as_zip is False or (as_zip is None and not named):
        return out, out.with_name(f"{out.name}-mask"), False
    stem = out.stem if named else out.name
    return out.with_name(f"{stem}.zip"), out.with_name(f"{stem}-mask.zip"), True


def _common_size(rows: list[Fields]) -> int:
    sizes = sorted({int(row["image_size"]) for row in rows})
    if len(sizes) > 1:
        raise InputError(f"the crops have sides from {sizes[0]} to {sizes[-1]} pixels; choose one size for all")
    return sizes[0]


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
