"""Samples that would enter or leave, in pictures: an HTML page, or a contact sheet."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from html import escape
from pathlib import Path

import cv2
import numpy as np
from PIL import Image as Pil
from PIL.PngImagePlugin import PngInfo

from phq.decisions.decide import Decided
from phq.decisions.moves import moves_text, reasons_of
from phq.errors import InputError, OutputError
from phq.schema import SCHEMA_VERSION
from phq.system.arrays import Image
from phq.system.atomic import output_errors, write_bytes
from phq.view.diff_page import head, write_page

SIDE = 160
MOST = 24
"""Pictures of each reason."""
COLUMNS = 12
ENTER, LEAVE = (60, 190, 90), (220, 70, 60)
BAR = 4


def write_pictures(path: Path, decided: Decided) -> None:
    """Write an HTML page or a PNG, by the suffix; up to 24 samples of each reason, evenly over their margins.

    Raises:
        InputError: another suffix.
        OutputError: something else has this name, or it cannot be written.
    """
    suffix = path.suffix.lower()
    if suffix in (".html", ".htm"):
        write_page(path, _page(decided))
    elif suffix == ".png":
        _write_sheet(path, decided)
    else:
        raise InputError(f"{path}: pictures are written as .html or .png")


def chosen(decided: Decided) -> Iterator[tuple[str, str, list[int], int]]:
    """("leave" or "enter", reason, numbers of the samples shown, how many there are), most frequent first."""
    for move, rows, before in (("leave", decided.leaving, False), ("enter", decided.entering, True)):
        table = decided.before if before else decided.after
        reasons = np.array(table["reason"].to_pylist(), dtype=object)
        margins = table["margin"].to_numpy(zero_copy_only=False)
        for reason, count in reasons_of(decided, rows, before):
            found = np.flatnonzero(rows & (reasons == reason))
            found = found[np.argsort(-margins[found], kind="stable")]
            shown = found[np.unique(np.linspace(0, len(found) - 1, min(MOST, len(found))).round().astype(int))]
            yield move, reason, shown.tolist(), count


def thumbnail(decided: Decided, number: int) -> Image:
    """SIDE × SIDE × 3 of the stored picture."""
    return np.asarray(cv2.resize(decided.samples[number].image, (SIDE, SIDE), interpolation=cv2.INTER_AREA))


def _page(decided: Decided) -> Iterator[str]:
    yield from head("Decide again")
    yield f"<pre>{escape(moves_text(decided))}</pre>"
    for move, reason, shown, count in chosen(decided):
        words = "would leave" if move == "leave" else "would enter, rejected until now"
        yield f"<h2>{count} {words}: {escape(reason)}</h2>"
        yield '<p>From those nearest to the threshold to those farthest from it.</p><div class="samples">'
        yield from (_figure(decided, number, move) for number in shown)
        yield "</div>"
    yield "</body></html>"


def _figure(decided: Decided, number: int, move: str) -> str:
    jpg = io.BytesIO()
    Pil.fromarray(thumbnail(decided, number)).save(jpg, "JPEG", quality=80)
    table = decided.after if move == "leave" else decided.before
    key, path = (decided.before[name][number].as_py() for name in ("key", "source_path"))
    caption = f"{table['detail'][number].as_py()}; {key} of {path}"
    data = base64.b64encode(jpg.getvalue()).decode()
    text = f'<figcaption style="max-width: {SIDE}px">{escape(caption)}</figcaption>'
    return f'<figure><img src="data:image/jpeg;base64,{data}" alt="{escape(key)}">{text}</figure>'


def _write_sheet(path: Path, decided: Decided) -> None:
    with output_errors(path):
        if path.exists() and SCHEMA_VERSION.encode() not in path.read_bytes()[:4096]:
            raise OutputError(f"{path} was not written by phq and would be replaced; choose another name")
    bands = [_band(decided, shown, move, f"{move} {count}: {why}") for move, why, shown, count in chosen(decided)]
    sheet = np.vstack(bands) if bands else np.zeros((SIDE, COLUMNS * SIDE, 3), np.uint8)
    png, signature = io.BytesIO(), PngInfo()
    signature.add_text("Software", SCHEMA_VERSION)  # tells it from a picture of the user's
    Pil.fromarray(sheet).save(png, "PNG", pnginfo=signature)
    write_bytes(path, png.getvalue())


def _band(decided: Decided, shown: list[int], move: str, title: str) -> Image:
    """A title and the pictures of one reason, below a bar in the colour of the move."""
    colour = ENTER if move == "enter" else LEAVE
    top = np.zeros((28, COLUMNS * SIDE, 3), np.uint8)
    top[:BAR] = colour
    cv2.putText(top, title, (6, 22), cv2.FONT_HERSHEY_SIMPLEX, 0.55, (255, 255, 255), 1, cv2.LINE_AA)
    rows = -(-len(shown) // COLUMNS)
    tiles = [thumbnail(decided, number) for number in shown]
    tiles += [np.zeros((SIDE, SIDE, 3), np.uint8)] * (rows * COLUMNS - len(tiles))
    return np.vstack([top, *(np.hstack(tiles[i : i + COLUMNS]) for i in range(0, len(tiles), COLUMNS))])
