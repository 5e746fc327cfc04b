"""A contact sheet of a state of a dataset."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from phq.building.contact_sheet import choose, write_contact_sheet
from phq.dataset.embedded import bodies_of
from phq.dataset.reader import Dataset


def draw_state(path: Path, dataset: Path, state: str, keys: Sequence[str], body: str | None) -> None:
    """Write a PNG with some of the samples as an overlay leaves them, as `phq.building.contact_sheet` draws them.

    Args:
        keys: the samples to choose from. body: a word of `phq.pose.body_choice`, for records that name that body.

    Raises:
        OutputError: it cannot be written.
    """
    opened = Dataset(dataset, overlay=state, rejects=True)
    table = opened.columns(["key", "camera_yaw_deg"]).to_pylist()
    wanted = set(keys)
    rows = [opened[row["key"]].row for row in choose([row for row in table if row["key"] in wanted])]
    pictures = {row["key"]: {name: opened.read(row["key"], name) for name in ("jpg", "mask.png")} for row in rows}
    write_contact_sheet(path, rows, lambda row: pictures[row["key"]], bodies_of(opened, body))
