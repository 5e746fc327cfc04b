"""What commands print: text for people, and with ``--json`` the same for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from phq.errors import OutputError
from phq.system.logs import STDOUT

_OPENING = b'{\n  "command": "phq '


def _replaceable(where: str | None) -> str | None:
    """Let a place pass where a result can be written, before anything is done.

    Raises:
        OutputError: the file exists and no earlier call has written it.
    """
    if where not in (None, STDOUT) and Path(where).exists() and not _is_result(Path(where)):
        raise OutputError(f"{where} is not a result of phq and would be replaced; choose another name")
    return where


def _is_result(path: Path) -> bool:
    return path.is_file() and path.read_bytes().startswith(_OPENING)


Json = Annotated[
    str | None,
    typer.Option("--json", help="Write the result as JSON; - prints it in place of the text.", metavar="FILE|-",
                 show_default="none", callback=_replaceable),
]  # fmt: skip


def echo(text: str = "", err: bool = False) -> None:
    """Print a line to the standard output or error at once, in that stream's encoding (`typer.echo` writes UTF-8 where
    the encoding is ASCII)."""
    print(text, file=sys.stderr if err else sys.stdout, flush=True)


def report(command: str, result: Any, lines: Iterable[str], where: str | None) -> None:
    """Print a result, and write it as JSON.

    Args:
        command: name of the command, such as ``stats``.
        result: a dataclass or dictionary.
        lines: the result for people.
        where: file for the JSON; ``-``: the standard output, in place of `lines`; None: nowhere.

    Raises:
        OutputError: see `phq.system.atomic.output_errors`.
    """
    if where != STDOUT:
        for line in lines:
            echo(line)
    if where is None:
        return
    content = {"command": f"phq {command}", **(result if isinstance(result, dict) else _record(result))}
    # Programs read the standard output, whose encoding they do not know.
    text = json.dumps(content, indent=2, ensure_ascii=where == STDOUT, default=_record)
    if where == STDOUT:
        echo(text)
        return
    from phq.system.atomic import write_bytes

    write_bytes(Path(where), f"{text}\n".encode(errors="backslashreplace"))  # names of files that are not UTF-8


def _record(value: Any) -> Any:
    """A value that JSON does not have, as one that it has."""
    if is_dataclass(value):
        return {field.name: getattr(value, field.name) for field in fields(value)}
    return value.tolist() if hasattr(value, "tolist") else str(value)
