"""From the tables of finished units to the dataset: decide, find duplicates, split, order, write.

`phq.finalise.rows` does it with a handful of rows in memory, for whoever has them; `phq.finalise.dataset` with the
columns it needs, for a build of any size.
"""

from phq.finalise.rows import (
    UNGROUPED,
    Fields,
    conclude,
    mark_duplicates,
    read_rows,
    split_of,
    without_storage,
)

__all__ = [
    "UNGROUPED",
    "Fields",
    "conclude",
    "mark_duplicates",
    "read_rows",
    "split_of",
    "without_storage",
]
