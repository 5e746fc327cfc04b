"""`Item`: one sample of a dataset, read on demand."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from pydantic import ValidationError

from phq.dataset.columns import Columns
from phq.dataset.notebook import figure
from phq.dataset.places import Places
from phq.dataset.tar import MEMBERS, STORAGE
from phq.errors import InputError
from phq.schema import Row, Sample, sample_to_json
from phq.system.arrays import Image

_OF_THE_DATASET = tuple(name for name in Row.model_fields if name not in (*Sample.model_fields, *STORAGE))


SHOWN_FIELDS = ("camera_yaw_deg", "camera_pitch_deg", "head_yaw_deg", "p_flip", "source_path")


class Item:
    """One sample; everything is read on demand, and nothing is kept.

    Reading raises `InputError` where the sample is a reject without stored bytes, or its shard is missing, cut off, or
    not the one that the manifest describes.
    """

    __slots__ = ("_columns", "_places", "_row")

    def __init__(self, columns: Columns, places: Places, row: int) -> None:
        self._columns = columns
        self._places = places
        self._row = row

    def __repr__(self) -> str:
        return f"Item({self.key!r})"

    def _repr_html_(self) -> str:
        """Its picture with the fields that most people look for, for notebooks."""
        return figure(self, SHOWN_FIELDS)

    @property
    def key(self) -> str:
        """First 16 hex digits of the sha256 of the stored image; '' for a reject that never had one."""
        return str(self._places.keys[self._row].decode())

    def read(self, member: str) -> bytes:
        """Bytes of ``jpg``, ``json`` or ``mask.png`` as they are stored, untouched by overlays."""
        return self._places.read(self._row, member)

    @property
    def image(self) -> Image:
        """The stored image, H × W × 3, RGB."""
        import cv2  # 0.1 s, and a record in words needs no pixels

        pixels = self._decoded("jpg", cv2.IMREAD_COLOR)
        cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB, dst=pixels)
        return pixels

    @property
    def mask(self) -> Image:
        """The mask, H × W, 0 to 255."""
        import cv2

        return self._decoded("mask.png", cv2.IMREAD_GRAYSCALE)

    @property
    def row(self) -> dict[str, Any]:
        """All fields of `phq.schema.Row` with the overlays applied, and the columns that only overlays have.

        None where no overlay has a value in such a column, or a reject was thrown out before a field was computed.
        """
        if self._places.stored(self._row):
            there = [name for name in _OF_THE_DATASET if name in self._columns.names]  # an older phq had fewer
            own = self._places.fields(self._row) | self._columns.values(self._row, there)
            record = self._stored_record()
        else:
            record, own = self._columns.stored_row(self._row), {}
        absent = dict.fromkeys(self._columns.extra)
        return absent | record | own | self._columns.changes(self._row)

    @property
    def sample(self) -> Sample:
        """The record with the overlays applied.

        Raises:
            InputError: the sample was thrown out before its record was complete, or the record breaks the schema.
        """
        try:
            if not self._places.stored(self._row):
                row = self.row
                return Sample.model_validate({name: row.get(name) for name in Sample.model_fields})
            changed = self._sample_changes()
            if not changed:
                return Sample.model_validate_json(self.read("json"))
            return Sample.model_validate(self._stored_record() | changed)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            where = ".".join(map(str, first["loc"])) or "json"
            raise InputError(
                f"sample {self.key} has no complete record of this schema: {where}: {first['msg']}; "
                "a dataset of an earlier version is brought up to date by `phq bake`"
            ) from error

    def encoded(self) -> dict[str, bytes]:
        """The members with the overlays applied to the json; the stored bytes where no overlay changes the sample."""
        members = {name: self.read(name) for name in MEMBERS}
        return members | {"json": sample_to_json(self.sample)} if self._sample_changes() else members

    def _stored_record(self) -> dict[str, Any]:
        try:
            record: dict[str, Any] = json.loads(self.read("json"))
        except ValueError as error:
            raise InputError(f"the json of sample {self.key} is damaged: {error}") from error
        return record

    def _sample_changes(self) -> dict[str, Any]:
        changes = self._columns.changes(self._row)
        return {name: value for name, value in changes.items() if name in Sample.model_fields}

    def _decoded(self, member: str, flags: int) -> Image:
        import cv2

        # faster than Pillow, from the same libjpeg; a stored picture is upright, whatever EXIF it may carry
        content = np.frombuffer(self.read(member), np.uint8)
        pixels: Image | None = cv2.imdecode(content, flags | cv2.IMREAD_IGNORE_ORIENTATION)
        if pixels is None:
            raise InputError(f"the {member} of sample {self.key} is not a picture that can be decoded")
        return pixels
