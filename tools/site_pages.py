"""Pages of the site that are written elsewhere: the README, every command's help, the public docstrings, decisions;
and its style sheet.

`mkdocs build` runs this by the plugin gen-files; nothing is written beside the site.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import mkdocs_gen_files

import phq
from phq.config.build import SETTINGS as BUILD
from phq.config.listing import Setting, described, shown
from phq.generator.train.config import SETTINGS as TRAINING

ROOT = Path(__file__).resolve().parents[1]
CLASSES = ("Sample", "BuildResult")
"""Of the API's own results, those that most programs touch."""


def start_page() -> str:
    """The README; its links lead from the root of the repository."""
    return (ROOT / "README.md").read_text(encoding="utf-8").replace("](docs/", "](")


def command_line() -> str:
    """Every command with its options, as Typer writes it."""
    text = subprocess.run(
        [sys.executable, "-m", "typer", "phq.cli", "utils", "docs", "--name", "phq"],
        check=True, capture_output=True, text=True, encoding="utf-8", cwd=ROOT,
    ).stdout  # fmt: skip
    return text.replace("# `phq`", "# The command line", 1)


def api_reference() -> str:
    """The docstrings of what `from phq import …` gives."""
    lines = ["# API reference", "", "What `from phq import …` gives; one runnable example each: [Python API](api.md)."]
    for name in phq.__all__:
        if not name.startswith("_"):
            lines += ["", f"::: {getattr(phq, name).__module__}.{name}"]
    return "\n".join(lines) + "\n"


def settings() -> str:
    """What ``--set`` takes, as ``phq settings`` and ``phq gan settings`` list it."""
    build = described(BUILD, "default", "strict")
    training = described(TRAINING, "tiny", "paper-512")
    return "\n".join(
        ["# Settings", "", "## Of build, decide and annotate", "", *_table(build, "default", "strict"), "",
         "## Of a training run", "", *_table(training, "tiny", "paper-512"), ""]
    )  # fmt: skip


def _table(listed: list[Setting], default: str, other: str) -> list[str]:
    rows = [(item.name, shown(item.default), shown(item.value), item.meaning) for item in listed]
    cells = [" | ".join((f"`{name}`", *values, text.replace("|", "/"))) for name, *values, text in rows]
    return [f"setting | {default} | {other} | meaning", "---|---|---|---", *cells]


def decisions() -> str:
    """A list of the decisions by their first lines."""
    lines = ["# Decisions", ""]
    for page in sorted((ROOT / "docs" / "decisions").glob("*.md")):
        title = page.read_text(encoding="utf-8").splitlines()[0].lstrip("# ")
        lines.append(f"* [{title}](decisions/{page.name})")
    return "\n".join(lines) + "\n"


def style() -> str:
    """Room for command lines with their comments."""
    return ".md-grid { max-width: 78rem; }\n.md-typeset pre > code { font-size: 0.65rem; }\n"


PAGES = {"index.md": start_page, "command-line.md": command_line, "api-reference.md": api_reference,
         "settings.md": settings, "decisions.md": decisions, "site.css": style}  # fmt: skip

for name, page in PAGES.items():
    with mkdocs_gen_files.open(name, "w") as file:
        file.write(page())
