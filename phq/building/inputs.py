"""The frozen list of a plan's inputs, stored beside the units, and the changes to them since."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from phq.errors import OutputError
from phq.photos.discover import Found, Stamp
from phq.schema import SCHEMA_VERSION
from phq.system.atomic import atomic_write

_SCHEMA = pa.schema([
    pa.field("name", pa.string()), pa.field("size", pa.int64()), pa.field("state", pa.string()),
    pa.field("part", pa.int32()),
])  # fmt: skip


@dataclass(frozen=True)
class FrozenInputs:
    """Names and stamps of a plan's inputs in its order, and their parts."""

    names: list[str]
    stamps: list[Stamp]
    parts: tuple[int, ...]
    """Inputs of each part: those of the first plan, then those of each extension."""


@dataclass(frozen=True)
class Difference:
    """How a list of inputs differs from the frozen one; names in order."""

    new: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    vanished: tuple[str, ...] = ()

    def sentences(self) -> Iterator[str]:
        """For people, each with an example."""
        for names, text in ((self.new, "new"), (self.changed, "changed"), (self.vanished, "gone")):
            if names:
                yield f"{len(names)} of the photos {'is' if len(names) == 1 else 'are'} {text}, such as {names[0]}"


SAME = Difference()


def listed(inputs: Sequence[Found], before: FrozenInputs | None = None) -> FrozenInputs:
    """Inputs as they are now, as another part behind an earlier list."""
    names, stamps = [found.name for found in inputs], [found.fingerprint() for found in inputs]
    if before is None:
        return FrozenInputs(names, stamps, (len(names),))
    return FrozenInputs([*before.names, *names], [*before.stamps, *stamps], (*before.parts, len(names)))


def freeze(path: Path, inputs: FrozenInputs) -> None:
    """Write the list; the same inputs give the same bytes.

    Raises:
        OutputError: see `phq.system.atomic.output_errors`.
    """
    part = np.repeat(np.arange(len(inputs.parts)), inputs.parts)
    columns = [inputs.names, [s[0] for s in inputs.stamps], [s[1] for s in inputs.stamps], part]
    schema = _SCHEMA.with_metadata({"schema_version": SCHEMA_VERSION, "kind": "inputs"})
    table = pa.Table.from_arrays([pa.array(c, f.type) for c, f in zip(columns, schema, strict=True)], schema=schema)
    with atomic_write(path) as stream:
        pq.write_table(table, stream, compression="zstd")


def thaw(path: Path) -> FrozenInputs:
    """Read a list that `freeze` wrote.

    Raises:
        OutputError: it is damaged or cannot be read.
    """
    try:
        table = pq.read_table(io.BytesIO(path.read_bytes()), schema=_SCHEMA)
        if any(column.null_count for column in table.columns):  # a column that is not there, too
            raise ValueError("values are missing")
        name, size, state, part = (table[field.name].to_pylist() for field in _SCHEMA)
    except (pa.ArrowException, OSError, KeyError, ValueError) as error:  # Arrow says OSError of damaged pages
        raise OutputError(f"{path}, the list of this build's photos, is damaged: {error}") from error
    counts = [part.count(number) for number in range(max(part, default=-1) + 1)]
    return FrozenInputs(name, list(zip(size, state, strict=True)), tuple(counts))


def compare(frozen: FrozenInputs, inputs: Sequence[Found]) -> Difference:
    """The changes to the frozen inputs, by name, size and time of change."""
    stamps = dict(zip(frozen.names, frozen.stamps, strict=True))
    there = {found.name: found for found in inputs}
    both = [name for name in frozen.names if name in there]
    return Difference(
        tuple(found.name for found in inputs if found.name not in stamps),
        tuple(name for name in both if there[name].fingerprint() != stamps[name]),
        tuple(name for name in frozen.names if name not in there),
    )
