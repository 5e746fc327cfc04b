"""Ways to break the manifest, the splits, the rejects and the tombstones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from dataset_damage import (
    FIRST,
    KEYS,
    PAIR,
    SAMPLES,
    SECOND,
    SHARDS,
    Damage,
    collector,
    edited_bytes,
    edited_row,
    rebuilt,
    rows_of,
    write_rows,
)
from sound_datasets import REJECT, sound_sample, write_sound

from phq.dataset.overlays import write_overlay
from phq.dataset.tombstones import Tombstone, text_sha256, write_tombstones

DAMAGES: list[Damage] = []
damage = collector(DAMAGES)


# the manifest


@damage("offset_wrong", mended=True)
def offset(folder: Path) -> tuple[str, str]:
    with edited_row(folder, SECOND) as row:
        row["mask_offset"] += 512
    return PAIR, SECOND


@damage("size_wrong", mended=True)
def size(folder: Path) -> tuple[str, str]:
    with edited_row(folder, SECOND) as row:
        row["jpg_size"] -= 1
    return PAIR, SECOND


@damage("sample_missing", mended=True)
def wrong_shard(folder: Path) -> tuple[str, str]:
    with edited_row(folder, SECOND) as row:
        row["shard"] = SHARDS["train"][0]
    return SHARDS["train"][0], SECOND


@damage("key_order", mended=True)
def rows_exchanged(folder: Path) -> tuple[str, str]:
    first, second, *rest = rows_of(folder)
    write_rows(folder, [second, first, *rest])
    return "manifest.parquet", KEYS[0]


@damage("key_repeated")
def row_twice(folder: Path) -> tuple[str, str]:
    first, *rest = rows_of(folder)
    write_rows(folder, [first, first, *rest])
    return "manifest.parquet", KEYS[0]


@damage("manifest_missing", mended=True)
def manifest_removed(folder: Path) -> tuple[str, str]:
    (folder / "manifest.parquet").unlink()
    return "manifest.parquet", ""


@damage("manifest_unreadable", mended=True)
def manifest_cut_off(folder: Path) -> tuple[str, str]:
    with edited_bytes(folder / "manifest.parquet") as content:
        del content[-100:]
    return "manifest.parquet", ""


@damage("manifest_schema", mended=True)
def column_removed(folder: Path) -> tuple[str, str]:
    with (folder / "manifest.parquet").open("rb") as stream:
        table = pq.read_table(stream).drop_columns(["blur"])
    pq.write_table(table, folder / "manifest.parquet")
    return "manifest.parquet", ""


@damage("row_not_kept")
def rejected_in_the_manifest(folder: Path) -> tuple[str, str]:
    with edited_row(folder, FIRST) as row:
        row["decision"] = "rejected"
    return PAIR, FIRST


@damage("split_unknown", mended=True)
def unknown_split(folder: Path) -> tuple[str, str]:
    with edited_row(folder, FIRST) as row:
        row["split"] = "test"
    return PAIR, FIRST


@damage("split_differs", mended=True)
def other_split(folder: Path) -> tuple[str, str]:
    with edited_row(folder, FIRST) as row:
        row["split"] = "val"
    return PAIR, FIRST


@damage("value_missing", mended=True)
def null(folder: Path) -> tuple[str, str]:
    with edited_row(folder, FIRST) as row:
        row["mask_fraction"] = None
    return PAIR, FIRST


@damage("value_missing", mended=True)
def row_without_a_key(folder: Path) -> tuple[str, str]:
    with edited_row(folder, FIRST) as row:
        row["key"] = None
    return PAIR, ""


@damage("value_invalid", mended=True)
def short_list(folder: Path) -> tuple[str, str]:
    with edited_row(folder, FIRST) as row:
        row["cam2world"] = row["cam2world"][:12]
    return PAIR, FIRST


@damage("not_finite", mended=True)
def pose_that_is_no_number(folder: Path) -> tuple[str, str]:
    with edited_row(folder, FIRST) as row:
        row["smpl_pose"] = [float("nan"), *row["smpl_pose"][1:]]
    return PAIR, FIRST


def value(kind: str, **changes: Any) -> None:
    """A sample that states something impossible, in json and manifest alike."""

    def run(folder: Path) -> tuple[str, str]:
        sample = sound_sample(90, **changes)
        return rebuilt(folder, sample), str(sample.row["key"])

    run.__name__ = "_".join(("value", *changes))
    damage(kind)(run)


GOOD = np.array(sound_sample(90).row["cam2world"]).reshape(4, 4)
value("camera_not_rigid", cam2world=GOOD * np.array([1.01, 1, 1, 1]))
value("camera_not_rigid", cam2world=GOOD * np.array([-1.0, 1, 1, 1]))
value("camera_radius", cam2world=GOOD * np.array([1, 1, 1, 1.1]) / np.array([[1], [1], [1], [1.1]]))
value("camera_angles", camera_yaw_deg=12.0)
value("intrinsics_invalid", intrinsics=[-6.5, 0, 0.5, 0, 6.5, 0.5, 0, 0, 1])
value("crop_invalid", crop_to_source=[1.0, 2.0, 0, 2.0, 4.0, 0])


# splits


@damage("source_shared")
def photo_in_both_splits(folder: Path) -> tuple[str, str]:
    mine = next(sample for sample in SAMPLES if sample.row["split"] == "val")
    sample = sound_sample(90, source_sha256=mine.row["source_sha256"], person_index=1)
    return rebuilt(folder, sample), str(sample.row["key"])


@damage("identity_shared")
def person_in_both_splits(folder: Path) -> tuple[str, str]:
    train, val = sound_sample(90, identity="Ada; Bob"), sound_sample(91, "val", identity="Bob")
    return rebuilt(folder, train, val), str(train.row["key"])


@damage("source_shared")
def photo_in_both_splits_by_an_overlay(folder: Path) -> tuple[str, str]:
    together = [sound_sample(n, source_sha256="ab" * 32, person_index=n) for n in (90, 91)]
    rebuilt(folder, *together)
    to_val, in_train = (str(sample.row["key"]) for sample in together)
    write_overlay(folder, "again", [{"key": to_val, "split": "val"}], ["split"], {})
    return "overlays/again.parquet", in_train


# rejects and tombstones


@damage("rejects_missing")
def rejects_removed(folder: Path) -> tuple[str, str]:
    (folder / "rejects.parquet").unlink()
    return "rejects.parquet", ""


@damage("rejects_missing", mended=True)
def empty_rejects_removed(folder: Path) -> tuple[str, str]:
    write_sound(folder, SAMPLES, [])
    (folder / "rejects.parquet").unlink()
    return "rejects.parquet", ""


@damage("rejects_unreadable")
def rejects_cut_off(folder: Path) -> tuple[str, str]:
    with edited_bytes(folder / "rejects.parquet") as content:
        del content[-50:]
    return "rejects.parquet", ""


@damage("rejects_schema")
def rejects_without_a_reason(folder: Path) -> tuple[str, str]:
    with (folder / "rejects.parquet").open("rb") as stream:
        table = pq.read_table(stream).drop_columns(["reason"])
    pq.write_table(table, folder / "rejects.parquet")
    return "rejects.parquet", ""


@damage("reject_reason")
def unknown_reason(folder: Path) -> tuple[str, str]:
    write_sound(folder, SAMPLES, [REJECT | {"reason": "ugly", "key": "0" * 16}])
    return "rejects.parquet", "0" * 16


@damage("reject_stored", mended=True)
def reject_with_a_place(folder: Path) -> tuple[str, str]:
    rows = rows_of(folder, "rejects.parquet")
    write_rows(folder, [row | {"jpg_offset": 512, "shard": PAIR} for row in rows], "rejects.parquet")
    return "rejects.parquet", ""


@damage("reject_kept")
def kept_and_rejected(folder: Path) -> tuple[str, str]:
    write_sound(folder, SAMPLES, [REJECT | {"reason": "blurred", "key": FIRST}])
    return "rejects.parquet", FIRST


@damage("tombstone_alive")
def redacted_and_there(folder: Path) -> tuple[str, str]:
    write_tombstones(folder / "tombstones.parquet", [Tombstone(text_sha256(FIRST), "2024-01-01", "asked for")])
    return PAIR, FIRST


@damage("tombstones_unreadable")
def tombstones_of_somebody_else(folder: Path) -> tuple[str, str]:
    (folder / "tombstones.parquet").write_bytes(b"PAR1 and nothing")
    return "tombstones.parquet", ""
