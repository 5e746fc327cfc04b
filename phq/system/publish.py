"""New files and folders that appear together, once all of them are whole."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from phq.errors import OutputError
from phq.system.atomic import output_errors
from phq.system.journal import recover, stage


@contextmanager
def published(*targets: Path) -> Iterator[list[Path]]:
    """Collect new files and folders, which take their names at the end of the block, but not after an error.

    Until then they grow in a hidden folder beside them. After a kill the next call for the same names finishes them if
    all were whole, and drops them otherwise.

    Args:
        targets: in one folder, which is made if need be. A target that is a folder may exist if it is empty.

    Yields:
        For each target the path to make it at.

    Raises:
        OutputError: one of them exists, its name has a colon or a backslash, another process is making them, or the
            folder cannot be written.
    """
    for target in targets:
        if set(target.name) & set(":\\"):
            raise OutputError(f"{target}: choose a name without colon and backslash, which not every system takes")
    folder, journal = targets[0].parent, f".phq-{targets[0].name}"
    with output_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    recover(folder, journal)
    for target in targets:
        if target.exists() and (not target.is_dir() or any(target.iterdir())):
            raise OutputError(f"{target} already exists; choose another name (nothing is ever overwritten)")
    with stage(folder, journal) as change:
        yield [change.whole(target.name) for target in targets]
