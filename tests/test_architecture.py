"""The documents against the code: the tree of rooms, and every path, link, name and command line that they give."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main

from phq.cli import app
from phq.commands.ending import ExitCode

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "phq"
ARCHITECTURE = ROOT / "docs" / "architecture.md"
PAGES = sorted(
    [
        *ROOT.glob("*.md"),
        *ROOT.glob("docs/**/*.md"),
        *ROOT.glob("examples/*/README.md"),
        *ROOT.glob("training/*/README.md"),
    ]
)
FOLDERS = "phq|tests|docs|tools|benchmarks|training|examples|schemas"


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


every_page = pytest.mark.parametrize("page", PAGES, ids=name_of)


def rooms_in_the_document() -> list[str]:
    block = ARCHITECTURE.read_text("utf-8").split("```\nphq/\n")[1].split("```")[0]
    return [line.split()[0] for line in block.splitlines()]


def test_the_tree_has_a_line_for_each_room_and_no_other() -> None:
    folders = {f"{path.parent.name}/" for path in PACKAGE.glob("*/__init__.py")}
    files = {path.name for path in PACKAGE.glob("*.py")} - {"__init__.py"}
    rooms = rooms_in_the_document()
    assert len(rooms) == len(set(rooms))
    assert set(rooms) == folders | files


def test_the_tree_is_in_the_order_of_the_import_contract() -> None:
    contract = (ROOT / "pyproject.toml").read_text("utf-8").split("layers = [")[1].split("]")[0]
    layers = re.findall(r'"([^"]+)"', contract)
    rank = {name: height for height, layer in enumerate(reversed(layers)) for name in re.findall(r"\w+", layer)}
    heights = [rank[room.removesuffix("/").removesuffix(".py")] for room in rooms_in_the_document()]
    assert heights == sorted(heights)


@every_page
def test_every_path_exists(page: Path) -> None:
    text = re.sub(r"https?://\S+", "", page.read_text("utf-8"))
    paths = set(re.findall(rf"(?<![\w/.\-])(?:{FOLDERS})/[\w./-]*[\w/]", text))
    assert sorted(path for path in paths if not (ROOT / path).exists()) == []


@every_page
def test_every_python_file_named_alone_exists(page: Path) -> None:
    ours = {path.name for folder in FOLDERS.split("|") for path in (ROOT / folder).rglob("*.py")} | {"cli.py"}
    named = set(re.findall(r"`(\w+\.py)`", page.read_text("utf-8")))
    assert sorted(named - ours - {"mirror_dataset.py"}) == [], "mirror_dataset.py is EG3D's"


def headings(page: Path) -> set[str]:
    lines = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", line.lower()).replace(" ", "-") for line in lines}


@every_page
def test_every_link_leads_somewhere(page: Path) -> None:
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text("utf-8")):
        if re.match(r"\w+:", target):
            continue
        path, _, anchor = target.partition("#")
        file = page.parent / path if path else page
        if not file.exists() or (anchor and anchor not in headings(file)):
            broken.append(target)
    assert broken == []


def exists_in_code(name: str) -> bool:
    """Whether ``phq.a.b.C`` is a module, or a name that the module's source has."""
    path, parts = PACKAGE, name.split(".")[1:]
    while parts and (path / parts[0]).is_dir():
        path /= parts.pop(0)
    if parts and (path / f"{parts[0]}.py").is_file():
        path /= f"{parts.pop(0)}.py"
    else:
        path /= "__init__.py"
    source = path.read_text("utf-8") if path.is_file() else ""
    return not parts or re.search(rf"\b{parts[0]}\b", source) is not None


@every_page
def test_every_python_name_exists(page: Path) -> None:
    names = set(re.findall(r"(?<![\w./\"-])phq(?:\.[A-Za-z_]\w*)+", page.read_text("utf-8")))
    assert sorted(name for name in names if not exists_in_code(name)) == []


def command_lines(page: Path) -> Iterator[list[str]]:
    """The words behind ``phq`` in shell blocks and in code spans; without the program's name."""
    text = page.read_text("utf-8")
    blocks = re.findall(r"```(?:sh|bash)\n(.*?)```", text, re.DOTALL)
    rest = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    lines += [span.replace("\n", " ") for span in re.findall(r"`(phq [^`]+)`", rest)]
    for line in lines:
        words = shlex.split(line, comments=True)
        for number, word in enumerate(words):
            if word == "phq":
                end = next((n for n, w in enumerate(words) if n > number and w.endswith((";", "|"))), len(words) - 1)
                yield [w.rstrip(";|") for w in words[number + 1 : end + 1]]


def complaint(command: Any, words: list[str]) -> str | None:
    """What the command line would refuse: an unknown command or option, or more arguments than there are."""
    words = list(words)
    while hasattr(command, "commands") and words and words[0] in command.commands:
        command = command.commands[words.pop(0)]
    if hasattr(command, "commands") and words and not words[0].startswith("-"):
        return None if words[0] in {"…", "COMMAND"} else f"no command {words[0]}"
    options = {name: option for option in command.params for name in (*option.opts, *option.secondary_opts)}
    arguments = 0
    while words:
        word = words.pop(0)
        if not word.startswith("--"):
            arguments += word not in "…"
            continue
        name = word.split("=")[0]
        if name == "--help":
            continue
        if name not in options:
            return f"no option {name}"
        if not options[name].is_flag and "=" not in word and words:
            words.pop(0)
    sizes = [argument.nargs for argument in command.params if argument.param_type_name == "argument"]
    return f"{arguments} arguments" if -1 not in sizes and arguments > sum(sizes) else None


@every_page
def test_every_command_line_is_one_of_phq(page: Path) -> None:
    command = typer.main.get_command(app)
    lines = list(command_lines(page))
    assert [(line, fault) for line in lines if (fault := complaint(command, line))] == []


def test_a_wrong_command_line_is_seen() -> None:
    command = typer.main.get_command(app)
    assert complaint(command, ["build", "PHOTOS", "DATASET", "--size", "512"]) is None
    assert complaint(command, ["bild", "PHOTOS"]) == "no command bild"
    assert complaint(command, ["build", "PHOTOS", "DATASET", "--sise", "512"]) == "no option --sise"
    assert complaint(command, ["build", "PHOTOS", "DATASET", "MORE"]) == "3 arguments"


def test_nothing_needs_pandas_which_is_no_dependency() -> None:
    """Arrow's ``to_pandas…`` fail without it, and the tests' own environment has it."""
    assert [str(path) for path in PACKAGE.rglob("*.py") if ".to_pandas" in path.read_text("utf-8")] == []


def test_the_table_of_exit_codes_is_that_of_the_code() -> None:
    text = (ROOT / "docs" / "commands.md").read_text("utf-8")
    assert [int(code) for code in re.findall(r"^\| (\d+) \|", text, re.MULTILINE)] == sorted(ExitCode)


def test_every_page_that_the_code_names_exists() -> None:
    named = {
        page for path in PACKAGE.rglob("*.py") for page in re.findall(r"\bdocs/[\w-]+\.md", path.read_text("utf-8"))
    }
    assert sorted(page for page in named if not (ROOT / page).exists()) == []
