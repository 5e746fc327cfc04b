"""The page: one file of HTML with its styles, scripts, data and pictures inside, which loads nothing."""

from __future__ import annotations

import base64
import hashlib
import html
import json
from importlib import resources
from typing import Any

from phq.errors import MissingExtraError
from phq.system.version import __version__

SCRIPTS = ("samples.js", "charts.js", "pictures.js", "main.js")
_ESCAPED = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}


def page(content: dict[str, Any]) -> bytes:
    """The report as HTML.

    Nothing of `content` can become markup: it is JSON with every ``<`` escaped, and the scripts put it in as text. A
    browser runs no scripts but those of phq and Plotly, whose hashes the page's policy lists (Content Security
    Policy Level 3, section 8.4), and loads nothing from anywhere.

    Raises:
        MissingExtraError: Plotly is not installed.
    """
    scripts = [plotly_js(), "\n".join(_static(name) for name in SCRIPTS)]
    hashes = " ".join(f"'sha256-{_hash(script)}'" for script in scripts)
    policy = f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; img-src data:; base-uri 'none'"
    title = html.escape(f"{content['dataset']}: phq report")
    parts = [
        "<!doctype html>", '<html lang="en">', "<head>", '<meta charset="utf-8">',
        f'<meta name="generator" content="phq {__version__}">',  # as phq.dataset.derived knows a page of phq
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">', f"<title>{title}</title>",
        f"<style>{_static('page.css')}</style>", "</head>", "<body>", _static("page.html"),
        f'<script type="application/json" id="content">{as_json(content)}</script>',
        *(f"<script>{script}</script>" for script in scripts),
        "</body>", "</html>", "",
    ]  # fmt: skip
    return "\n".join(parts).encode()


def as_json(value: Any) -> str:
    """JSON in which no character means anything to HTML."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for character, escape in _ESCAPED.items():
        text = text.replace(character, escape)
    return text


def plotly_js() -> str:
    """The library that draws the plots, from its Python package (MIT).

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        from plotly.offline import get_plotlyjs
    except ImportError as error:
        raise MissingExtraError("plotly", "report", "a report") from error
    return str(get_plotlyjs())


def _static(name: str) -> str:
    return resources.files("phq.view.report").joinpath("static", name).read_text("utf-8")


def _hash(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
