"""Selecting samples by a condition over the columns, in SQL."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from phq.errors import InputError

_TABLE = "samples"
_NUMBER = "__row__"
_WORD = re.compile(r"\w+")


def named_columns(names: list[str], where: str) -> list[str]:
    """Columns that a condition can refer to: those whose name is a word in it, or all if it contains ``COLUMNS(…)``."""
    words = {word.lower() for word in _WORD.findall(where)}
    return names if "columns" in words else [name for name in names if name.lower() in words]


def matching(table: pa.Table, where: str) -> NDArray[np.int64]:
    """(rows,) numbers of the rows for which a condition is true, ascending.

    Args:
        table: the columns that the condition may name, lists among them.
        where: a boolean expression in DuckDB's SQL, such as ``abs(camera_yaw_deg) > 90 AND split = 'train'``; it cannot
            read files or other tables. A null counts as false.

    Raises:
        InputError: not a valid condition; the message is DuckDB's own, with the nearest column names.
    """
    import duckdb

    numbered = table.append_column(_NUMBER, pa.array(np.arange(len(table))))
    config = dict[str, Any](enable_external_access=False, threads=1)
    with duckdb.connect(config=config) as connection:
        try:
            samples = connection.from_arrow(numbered).set_alias(_TABLE)
            found = samples.filter(where).project(_NUMBER).fetchnumpy()[_NUMBER]
        except duckdb.Error as error:
            raise InputError(f"cannot filter by {where!r}: {_sentence(error)}") from error
    return np.sort(np.asarray(found, dtype=np.int64))


def _sentence(error: Exception) -> str:
    """DuckDB's message without the excerpt of the query, which the user did not write."""
    text = str(error).split("\n\nLINE ")[0].replace(f'"{_TABLE}.', '"')
    text = text.replace(f', "{_NUMBER}"', "").replace(f'"{_NUMBER}", ', "")
    return "; ".join(line.strip() for line in text.splitlines() if line.strip())
