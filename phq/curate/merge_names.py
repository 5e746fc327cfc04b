"""Names in the rows of several datasets that must not collide: paths of photos, and numbers of the people in them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np
import pyarrow as pa

from phq.curate.merge_sources import Part, Sources
from phq.curate.person_numbers import number_people
from phq.decisions.numbered import numbered
from phq.schema import BOX, Fields
from phq.system.arrays import Bools, Ints
from phq.system.columns_on_disk import batches

TOGETHER = 1 << 15
"""Rows of shared photos in memory at a time, and the rest of the last photo."""


def distinct_names(sources: Sources) -> None:
    """Give each dataset a name that no path begins with; of two with one name the later gets a number."""
    names = tuple(source.name for source in sources.all)
    taken = {name for part in sources.parts() for name in _first_folders(part, names)}
    for source in sources.all:
        name, number = source.name, 2
        while source.name in taken:
            source.name, number = f"{name}-{number}", number + 1
        taken.add(source.name)


def _first_folders(part: Part, names: tuple[str, ...]) -> Iterator[str]:
    for table in batches(part.table.select(["source_path"])):
        for path in table["source_path"].to_pylist():
            if path.startswith(names):
                yield path.partition("/")[0]


def distinct_paths(sources: Sources) -> None:
    """Put the dataset's name before each path that is of different photos in different datasets.

    Texts that name the path follow.
    """
    shared = _shared_paths(sources)
    names = [source.name for source in sources.all]
    for part in sources.parts() if shared else ():
        part.change(partial(_renamed, [names[number] for number in part.source.tolist()], shared))


def _shared_paths(sources: Sources) -> set[str]:
    """Paths under which there are different photos."""
    paths, hashes = (joined(sources, name) for name in ("source_path", "source_sha256"))
    path, photo = numbered(paths), numbered(hashes)
    stated = np.flatnonzero(photo)
    ordered = stated[np.lexsort((photo[stated], path[stated]))]
    other = (path[ordered[1:]] == path[ordered[:-1]]) & (photo[ordered[1:]] != photo[ordered[:-1]])
    return set(paths.take(pa.array(ordered[1:][other])).to_pylist())


def joined(sources: Sources, name: str) -> pa.ChunkedArray:
    """A column of all kept rows and then of all others."""
    return pa.chunked_array([chunk for part in sources.parts() for chunk in part.table[name].chunks])


def _renamed(names: Sequence[str], shared: set[str], table: pa.Table, start: int) -> pa.Table:
    paths, details = (table[name].to_pylist() for name in ("source_path", "detail"))
    for row, name in enumerate(names[start : start + len(table)]):
        text, of, path = (details[row] or "").partition(" of ")
        if path in shared:
            details[row] = f"{text}{of}{name}/{path}"
        if paths[row] in shared:
            paths[row] = f"{name}/{paths[row]}"
    return with_columns(table, source_path=pa.array(paths, pa.string()), detail=pa.array(details, pa.string()))


def with_columns(table: pa.Table, **columns: pa.Array) -> pa.Table:
    """The table with other columns in place of those of their names."""
    for name, column in columns.items():
        table = table.set_column(table.schema.get_field_index(name), name, column)
    return table


def common_numbers(sources: Sources) -> None:
    """One numbering of the people of each photo that several datasets have, see `number_people`."""
    counts = [len(part.rows) for part in sources.parts()]
    index = joined(sources, "person_index").fill_null(-1).to_numpy().copy()
    photo = numbered(joined(sources, "source_sha256"))
    source = np.concatenate([part.source for part in sources.parts()])
    rows = np.flatnonzero((photo > 0) & (index >= 0) & _boxed(sources))
    rows = rows[np.lexsort((rows, source[rows], photo[rows]))]  # of each dataset, those that are kept come first
    for some in _photos_together(rows[_doubtful(sources, rows, photo, source, index)], photo):
        people = _people(sources, some)
        number_people([[row for row, n in zip(people, source[some].tolist(), strict=True) if n == number]
                       for number in range(len(sources.all))])  # fmt: skip
        index[some] = [row["person_index"] for row in people]
    for part, start in zip(sources.parts(), (0, counts[0]), strict=True):
        new = index[start : start + len(part.rows)]
        if not np.array_equal(new, part.table["person_index"].fill_null(-1).to_numpy()):
            part.change(partial(_renumbered, new))


def _renumbered(index: Ints, table: pa.Table, start: int) -> pa.Table:
    here = index[start : start + len(table)]
    return with_columns(table, person_index=pa.array(here, mask=here < 0))


def _boxed(sources: Sources) -> Bools:
    return np.asarray(np.all([np.asarray(joined(sources, name).is_valid()) for name in BOX], axis=0))


def _doubtful(sources: Sources, rows: Ints, photo: Ints, source: Ints, index: Ints) -> Bools:
    """(n,) rows of photos that several datasets or paths have, or that have two people of one number."""
    if not len(rows):
        return np.zeros(0, bool)
    path = numbered(joined(sources, "source_path"))
    same = np.zeros(len(rows), bool)
    of = photo[rows]
    same[1:] = of[1:] == of[:-1]
    finding = same & ((source[rows] != np.roll(source[rows], 1)) | (path[rows] != np.roll(path[rows], 1)))
    first = np.flatnonzero(~same)
    number = np.cumsum(~same) - 1
    ordered = np.lexsort((index[rows], number))
    twice = (number[ordered[1:]] == number[ordered[:-1]]) & (index[rows[ordered[1:]]] == index[rows[ordered[:-1]]])
    doubt = np.zeros(len(first), bool)
    doubt[number[finding]] = True
    doubt[number[ordered[1:][twice]]] = True
    return np.asarray(doubt[number])


def _photos_together(rows: Ints, photo: Ints) -> Iterator[Ints]:
    """Rows in pieces that divide no photo."""
    while len(rows):
        end = min(TOGETHER, len(rows))
        end += int((photo[rows[end:]] == photo[rows[end - 1]]).sum())
        yield rows[:end]
        rows = rows[end:]


def _people(sources: Sources, rows: Ints) -> list[Fields]:
    names = ["source_path", "source_sha256", "person_index", *BOX]
    columns = pa.table({name: joined(sources, name) for name in names})
    return list(columns.take(pa.array(rows)).to_pylist())
