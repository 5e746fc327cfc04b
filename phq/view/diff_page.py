"""A comparison as one HTML file: numbers, histograms, and the samples that changed most with both labels drawn."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Iterator
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as Pil

from phq.curate.annotate.comparing import MEASURES, Comparison, Measure, lines
from phq.dataset.derived import check_drawing
from phq.schema import SCHEMA_VERSION
from phq.system.arrays import Doubles, Image
from phq.system.atomic import write_bytes
from phq.view.axes import COLOURS, draw_axes

SIDE = 224
MOST = 48
BINS = 36
_STYLE = """
:root { color-scheme: light dark; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 75rem; margin: 2rem auto; padding: 0 1rem; }
pre { overflow-x: auto; }
.charts, .samples { display: flex; flex-wrap: wrap; gap: 1.2rem; padding: 0; }
figure { margin: 0; }
figcaption { max-width: 28rem; overflow-wrap: anywhere; font-size: 13px; }
svg { width: 26rem; max-width: 100%; }
rect { fill: currentColor; opacity: .65; }
text { fill: currentColor; font-size: 11px; }
"""


def write_report(path: Path, found: Comparison, before: str, after: str) -> None:
    """Write the report; it needs no other file and no network.

    Raises:
        OutputError: another suffix than .html, a file that phq did not write, or it cannot be written.
    """
    write_page(path, _page(found, before, after))


def write_page(path: Path, parts: Iterable[str]) -> None:
    """Write a page that begins with `head`; errors as `write_report`."""
    check_drawing(path, ".html", ".htm")
    write_bytes(path, ("\n".join(parts) + "\n").encode())


def head(title: str) -> Iterator[str]:
    """The beginning of a page, up to its heading."""
    yield '<!doctype html><html lang="en"><head><meta charset="utf-8">'
    yield f'<meta name="generator" content="{SCHEMA_VERSION}"><title>{escape(title)}</title>'  # see phq.dataset.derived
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield f"<style>{_STYLE}</style></head><body><h1>{escape(title)}</h1>"


def text_block(lines: Iterable[str]) -> Iterator[str]:
    """Lines of text as they are."""
    yield "<pre>" + escape("\n".join(lines)) + "</pre>"


def _page(found: Comparison, before: str, after: str) -> Iterator[str]:
    yield from head(f"{before} → {after}")
    yield from text_block(lines(found, before, after))
    if len(found.before):
        yield '<h2>How much has changed</h2><div class="charts">'
        yield from (histogram(found.changes[measure.name], measure) for measure in MEASURES)
        yield "</div>"
    largest = found.largest(MOST)
    yield f"<h2>Largest changes ({len(largest)})</h2><p>Left as {escape(before)} has it, right as {escape(after)}. "
    yield f"Axes of torso and head: {_legend()}.</p>"
    yield '<div class="samples">'
    yield from (_figure(found, number) for number in largest)
    yield "</div></body></html>"


def _legend() -> str:
    names = ("to the subject's left", "up", "to the front")
    parts = zip(names, COLOURS, strict=True)
    return ", ".join(f'<b style="color:rgb{colour}">{escape(name)}</b>' for name, colour in parts)


def histogram(values: Doubles, measure: Measure) -> str:
    """Samples by the size of their change, as SVG; bars are as high as the logarithm of the count."""
    top = max(float(values.max()), 1e-9)
    counts, edges = np.histogram(values, BINS, (0, top))
    heights = np.log1p(counts) / np.log1p(counts.max()) * 100
    bars = "".join(
        f'<rect x="{10 * i + 1}" y="{110 - height:.1f}" width="8" height="{height:.1f}">'
        f"<title>{low:.2f} to {high:.2f}{measure.unit}: {count}</title></rect>"
        for i, (height, count, low, high) in enumerate(zip(heights, counts, edges, edges[1:], strict=False))
        if count
    )
    axis = f'<text x="0" y="124">0</text><text x="360" y="124" text-anchor="end">{top:.3g}{measure.unit}</text>'
    caption = f"<figcaption>Change of: {escape(measure.text)} (bars on a logarithmic scale)</figcaption>"
    return f'<figure><svg viewBox="0 0 360 130" role="img">{bars}{axis}</svg>{caption}</figure>'


def _figure(found: Comparison, number: int) -> str:
    before, after = found.before[number], found.after[number]
    crop, rows = before.image, (before.row, after.row)
    pictures = "".join(f'<img src="{_data_url(draw_axes(crop, row, SIDE))}" alt="">' for row in rows)
    return f"<figure>{pictures}<figcaption>{_caption(*rows)}</figcaption></figure>"


def _caption(before: dict[str, Any], after: dict[str, Any]) -> str:
    torso, head = (f"{before[name]:.1f}° → {after[name]:.1f}°" for name in ("camera_yaw_deg", "head_yaw_deg"))
    decided = [row["reason"] or row["decision"] for row in (before, after)]
    fate = "" if decided[0] == decided[1] else f"; {decided[0]} → {decided[1]}"
    photo = f"{before['source_path']}, person {before['person_index']}"
    return escape(f"{before['key']}: torso {torso}, head {head}{fate}; {photo}")


def _data_url(image: Image) -> str:
    jpg = io.BytesIO()
    Pil.fromarray(image).save(jpg, "JPEG", quality=85)
    return "data:image/jpeg;base64," + base64.b64encode(jpg.getvalue()).decode()
