"""Ways to break overlays, what describes a dataset, and its folder."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from dataset_damage import FIRST, PAIR, SECOND, Damage, collector, edited_bytes, edited_json

from phq.dataset.overlays import write_overlay

DAMAGES: list[Damage] = []
damage = collector(DAMAGES)


# overlays


def write_any_overlay(folder: Path, table: pa.Table, **notes: str) -> str:
    """An overlay in force, whatever it says."""
    metadata = {"schema_version": "phq/1", "kind": "overlay", "name": "v2", "about": "{}", **notes}
    (folder / "overlays").mkdir()
    pq.write_table(table.replace_schema_metadata(metadata), folder / "overlays" / "v2.parquet")
    with edited_json(folder / "run.json") as run:
        run["overlays"] = ["v2"]
    return "overlays/v2.parquet"


@damage("overlay_missing")
def overlay_removed(folder: Path) -> tuple[str, str]:
    write_overlay(folder, "v2", [{"key": FIRST, "blur": 0.5}], ["blur"], {})
    (folder / "overlays" / "v2.parquet").unlink()
    return "overlays/v2.parquet", ""


@damage("overlay_unlisted", mended=True)
def overlay_not_in_force(folder: Path) -> tuple[str, str]:
    before = (folder / "run.json").read_bytes()
    write_overlay(folder, "v2", [{"key": FIRST, "blur": 0.5}], ["blur"], {})
    (folder / "run.json").write_bytes(before)
    return "overlays/v2.parquet", ""


@damage("overlay_unreadable")
def overlay_cut_off(folder: Path) -> tuple[str, str]:
    name = write_any_overlay(folder, pa.table({"key": [FIRST], "blur": [0.5]}))
    with edited_bytes(folder / name) as content:
        del content[20:]
    return name, ""


@damage("overlay_schema")
def overlay_that_moves_bytes(folder: Path) -> tuple[str, str]:
    return write_any_overlay(folder, pa.table({"key": [FIRST], "jpg_offset": [512]})), ""


@damage("overlay_schema")
def overlay_of_another_type(folder: Path) -> tuple[str, str]:
    return write_any_overlay(folder, pa.table({"key": [FIRST], "blur": ["sharp"]})), ""


@damage("overlay_schema")
def overlay_of_another_name(folder: Path) -> tuple[str, str]:
    return write_any_overlay(folder, pa.table({"key": [FIRST], "blur": [0.5]}), name="v1"), ""


@damage("overlay_key")
def overlay_of_an_unknown_sample(folder: Path) -> tuple[str, str]:
    return write_any_overlay(folder, pa.table({"key": ["0" * 16], "blur": [0.5]})), "0" * 16


@damage("key_order")
def overlay_in_another_order(folder: Path) -> tuple[str, str]:
    return write_any_overlay(folder, pa.table({"key": [SECOND, FIRST], "blur": [0.5, 0.5]})), FIRST


@damage("value_missing")
def overlay_with_a_null(folder: Path) -> tuple[str, str]:
    columns = {"key": [FIRST, SECOND], "weight": pa.array([1.0, None], pa.float64())}
    return write_any_overlay(folder, pa.table(columns)), SECOND


@damage("camera_radius")
def overlay_with_a_far_camera(folder: Path) -> tuple[str, str]:
    camera = np.eye(4)
    camera[2, 3] = 5.0
    lists = pa.array([camera.ravel().tolist()], pa.list_(pa.field("element", pa.float64())))
    return write_any_overlay(folder, pa.table({"key": [FIRST], "cam2world": lists})), FIRST


@damage("not_rounded")
def overlay_with_long_numbers(folder: Path) -> tuple[str, str]:
    return write_any_overlay(folder, pa.table({"key": [FIRST], "blur": [1 / 3]})), FIRST


# files beside the tables


@damage("index_missing", mended=True)
def index_removed(folder: Path) -> tuple[str, str]:
    (folder / "train-index.json").unlink()
    return "train-index.json", ""


@damage("index_wrong", mended=True)
def samples_in_the_index(folder: Path) -> tuple[str, str]:
    with edited_json(folder / "val-index.json") as index:
        index["shardlist"][0]["nsamples"] = 7
    return "val-index.json", ""


@damage("schema_wrong", mended=True)
def schema_edited(folder: Path) -> tuple[str, str]:
    with edited_json(folder / "schema.json") as schema:
        del schema["properties"]["blur"]
    return "schema.json", ""


@damage("run_missing")
def run_removed(folder: Path) -> tuple[str, str]:
    (folder / "run.json").unlink()
    return "run.json", ""


@damage("run_unreadable")
def run_cut_off(folder: Path) -> tuple[str, str]:
    (folder / "run.json").write_bytes((folder / "run.json").read_bytes()[:50])
    return "run.json", ""


@damage("run_unreadable")
def overlays_that_are_no_list(folder: Path) -> tuple[str, str]:
    with edited_json(folder / "run.json") as run:
        run["overlays"] = "v2"
    return "run.json", ""


@damage("run_counts", mended=True)
def count_edited(folder: Path) -> tuple[str, str]:
    with edited_json(folder / "run.json") as run:
        run["counts"]["rejected"]["truncated"] = 5
    return "run.json", ""


@damage("card_missing", mended=True)
def card_removed(folder: Path) -> tuple[str, str]:
    (folder / "README.md").unlink()
    return "README.md", ""


@damage("card_wrong", mended=True)
def feature_removed(folder: Path) -> tuple[str, str]:
    text = (folder / "README.md").read_text("utf-8")
    (folder / "README.md").write_text(text.replace("    - name: blur\n      dtype: float64\n", ""), "utf-8")
    return "README.md", ""


@damage("card_wrong", mended=True)
def count_in_the_card(folder: Path) -> tuple[str, str]:
    text = (folder / "README.md").read_text("utf-8")
    (folder / "README.md").write_text(text.replace("| train | 10 |", "| train | 11 |"), "utf-8")
    return "README.md", ""


@damage("croissant_missing", mended=True)
def croissant_removed(folder: Path) -> tuple[str, str]:
    (folder / "croissant.json").unlink()
    return "croissant.json", ""


@damage("croissant_wrong", mended=True)
def croissant_edited(folder: Path) -> tuple[str, str]:
    text = (folder / "croissant.json").read_text("utf-8")
    (folder / "croissant.json").write_text(text.replace("samples/blur", "samples/sharpness"), "utf-8")
    return "croissant.json", ""


@damage("checksum_differs", mended=True)
def checksum_edited(folder: Path) -> tuple[str, str]:
    path = folder / "croissant.json"
    text, digest = path.read_text("utf-8"), hashlib.sha256((folder / PAIR).read_bytes()).hexdigest()
    path.write_text(text.replace(digest, "0" * 64), "utf-8")
    return PAIR, ""


# the folder


@damage("leftover", mended=True)
def half_written_file(folder: Path) -> tuple[str, str]:
    (folder / f"{PAIR}.tmp").write_bytes(b"half")
    return f"{PAIR}.tmp", ""


@damage("leftover", mended=True)
def work_folder(folder: Path) -> tuple[str, str]:
    (folder / ".phq-work").mkdir()
    (folder / ".phq-work" / "000000.parquet").write_bytes(b"done")
    return ".phq-work", ""


@damage("journal_left", mended=True)
def change_interrupted(folder: Path) -> tuple[str, str]:
    (folder / ".phq-journal" / "new").mkdir(parents=True)
    (folder / ".phq-journal" / "new" / "run.json").write_bytes(b"half")
    return ".phq-journal", ""
