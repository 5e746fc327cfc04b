"""Removing names from texts that stay."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from phq.schema import GROUPS, Row

REMOVED = "(redacted)"
_AT_ONCE = 200
"""Names in one pattern."""
_FREE_TEXT = "detail"


class Scrubber:
    """Removes names from free text, tables and JSON.

    A name counts where no letter or digit touches it. Part of a longer path counts: better too much than too little.
    """

    def __init__(self, keys: Collection[str], names: Collection[str]) -> None:
        """Args:
        keys: keys that are gone.
        names: everything that must not be named, `keys` among them.
        """
        self.keys = frozenset(keys)
        longest_first = sorted(names, key=lambda name: (-len(name), name))
        parts = [longest_first[i : i + _AT_ONCE] for i in range(0, len(longest_first), _AT_ONCE)]
        alternatives = ["|".join(map(re.escape, part)) for part in parts]
        self._patterns = [re.compile(rf"(?<![^\W_])(?:{part})(?![^\W_])") for part in alternatives]

    def text(self, text: str) -> str:
        """The text with ``(redacted)`` for every name."""
        for pattern in self._patterns:
            text = pattern.sub(REMOVED, text)
        return text

    def json(self, value: Any) -> Any:
        """A JSON value with all its texts scrubbed; a list loses the entries that are nothing but a name."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, list):
            return [self.json(entry) for entry in value if self.json(entry) != REMOVED]
        if isinstance(value, dict):
            return {self.text(name): self.json(entry) for name, entry in value.items()}
        return value

    def table(self, table: pa.Table) -> pa.Table:
        """Rows without the names of redacted samples in `phq.schema.GROUPS`, `detail`, and texts of unknown columns."""
        for index, field in enumerate(table.schema):
            if field.type == pa.string() and (field.name not in Row.model_fields or field.name == _FREE_TEXT):
                table = table.set_column(index, field, self._column(table.column(index)))
            elif field.name in GROUPS:
                table = table.set_column(index, field, self._without_keys(table.column(index)))
        return table

    def _without_keys(self, column: pa.ChunkedArray) -> pa.ChunkedArray:
        named = pc.is_in(column, value_set=pa.array(sorted(self.keys), pa.string()))
        return pc.if_else(named, pa.scalar(""), column)

    def _column(self, column: pa.ChunkedArray) -> pa.ChunkedArray:
        texts = pc.unique(column).to_pylist()
        changed = {text: self.text(text) for text in texts if text}
        changed = {old: new for old, new in changed.items() if new != old}
        if not changed:
            return column
        return pa.chunked_array([pa.array([changed.get(t, t) for t in column.to_pylist()], pa.string())])
