"""How datasets, samples and results show themselves in a notebook: pictures in place of a representation."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from html import escape
from typing import Any, Protocol

import numpy as np

from phq.errors import InputError

SHOWN = 12
"""Most samples that a dataset shows."""
SIDE = 128
"""Side of a picture on the page, CSS pixels."""


class Shown(Protocol):
    """What is shown of a sample; `phq.dataset.item.Item` is one."""

    @property
    def key(self) -> str:
        """Of the sample; '' for a reject that has none."""

    @property
    def row(self) -> dict[str, Any]:
        """Its fields."""

    def read(self, member: str) -> bytes:
        """Stored bytes; raises `InputError` where there are none."""


def figure(item: Shown, fields: Iterable[str] = ("camera_yaw_deg",)) -> str:
    """HTML of one sample: its stored picture, as it is, above its key and some fields.

    Args:
        item: the sample; of a reject without stored bytes only the words are shown.
        fields: columns to name under it; numbers are rounded to a tenth.
    """
    row = item.row
    named = [f"{name} {_short(row[name])}" for name in fields if row.get(name) is not None]
    words = [item.key or "(no picture)", *named]
    try:
        picture = f'<img width="{SIDE}" src="data:image/jpeg;base64,{base64.b64encode(item.read("jpg")).decode()}">'
    except InputError:
        picture = ""
    caption = "<br>".join(escape(word) for word in words)
    style = "display:inline-block;margin:2px;font-size:70%"
    return f'<figure style="{style}">{picture}<figcaption>{caption}</figcaption></figure>'


def contact_sheet(items: Iterable[Shown], title: str) -> str:
    """HTML of some samples in a row under a line of text."""
    return f"<p>{escape(title)}</p><div>{''.join(figure(item) for item in items)}</div>"


def evenly(count: int) -> list[int]:
    """At most `SHOWN` numbers of 0 … count − 1, evenly spaced."""
    return [int(i) for i in np.unique(np.linspace(0, count - 1, min(count, SHOWN)).round())] if count else []


def table(values: dict[str, Any], title: str) -> str:
    """HTML of names and values; long lists are cut."""
    cells = [(escape(name), escape(_short(value))) for name, value in values.items()]
    rows = "".join(f"<tr><th>{name}</th><td>{value}</td></tr>" for name, value in cells)
    return f"<details open><summary>{escape(title)}</summary><table>{rows}</table></details>"


def _short(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.1f}" if abs(value) >= 10 else f"{value:.3g}"
    text = str(value)
    return text if len(text) <= 60 else f"{text[:57]}…"
