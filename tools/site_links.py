"""Hook of the site: links of a page that lead out of the documentation, to code, become the path as text."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath
from posixpath import normpath
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
LINK = re.compile(r"(?<!!)\[([^\]]*)\]\(([^)\s:#]+)(#[^)]*)?\)")


def on_page_markdown(markdown: str, page: Any, files: Any, **_: Any) -> str:
    """The page without links to what is in the repository and not on the site."""
    here = PurePosixPath("docs", page.file.src_uri).parent

    def mended(link: re.Match[str]) -> str:
        text, target = link[1], link[2]
        if files.get_file_from_path(normpath(str(here.relative_to("docs") / target))):
            return link[0]
        path = next((p for p in (normpath(str(here / target)), target) if (ROOT / p).exists()), None)
        return link[0] if path is None else f"{text} (`{path}`)" if path not in text else f"`{path}`"

    return LINK.sub(mended, markdown)
