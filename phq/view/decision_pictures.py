"""Pictures of the samples that a decision lets enter or leave: an HTML page, or a contact sheet."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from html import escape
from pathlib import Path

import cv2
import numpy as np
import pyarrow.compute as pc
from PIL import Image as Pil

from phq.dataset.derived import check_drawing, signed_png
from phq.decisions.decide import Decided
from phq.decisions.moves import lines, reasons_of
from phq.system.arrays import Image
from phq.system.atomic import write_bytes
from phq.view.diff_page import head, text_block, write_page

SIDE = 160
MOST = 24
"""Most pictures of each reason."""
COLUMNS = 12
ENTER, LEAVE = (60, 190, 90), (220, 70, 60)
BAR = 4


def check_pictures(path: Path) -> None:
    """Let a path pass where `write_pictures` can write.

    Raises:
        OutputError: another suffix than .html or .png, or a file that phq did not draw.
    """
    check_drawing(path, ".html", ".htm", ".png")


def write_pictures(path: Path, decided: Decided) -> None:
    """Write an HTML page or a PNG, by the suffix; up to `MOST` samples of each reason, evenly over their margins.

    Raises:
        OutputError: see `check_pictures`; or it cannot be written.
    """
    check_pictures(path)
    if path.suffix.lower() == ".png":
        write_bytes(path, signed_png(_sheet(decided)))
    else:
        write_page(path, _page(decided))


def chosen(decided: Decided) -> Iterator[tuple[str, str, list[int], int]]:
    """("leave" or "enter", reason, numbers of the samples shown, number of all), most frequent reason first."""
    for move, rows, before in (("leave", decided.leaving, False), ("enter", decided.entering, True)):
        table = decided.before if before else decided.after
        margins = table["margin"].to_numpy(zero_copy_only=False)
        for reason, count in reasons_of(decided, rows, before):
            found = np.flatnonzero(rows & np.asarray(pc.equal(table["reason"], reason)))
            found = found[np.argsort(-margins[found], kind="stable")]
            shown = found[np.unique(np.linspace(0, len(found) - 1, min(MOST, len(found))).round().astype(int))]
            yield move, reason, shown.tolist(), count


def thumbnail(picture: Image) -> Image:
    """SIDE × SIDE × 3 of a stored picture."""
    return np.asarray(cv2.resize(picture, (SIDE, SIDE), interpolation=cv2.INTER_AREA))


def figure(picture: Image | None, key: str, caption: str) -> str:
    """A thumbnail with a caption, as HTML; the caption alone where there is no picture."""
    text = f'<figcaption style="max-width: {SIDE}px">{escape(caption)}</figcaption>'
    if picture is None:
        return f"<figure>{text}</figure>"
    jpg = io.BytesIO()
    Pil.fromarray(thumbnail(picture)).save(jpg, "JPEG", quality=80)
    data = base64.b64encode(jpg.getvalue()).decode()
    return f'<figure><img src="data:image/jpeg;base64,{data}" alt="{escape(key)}">{text}</figure>'


def _page(decided: Decided) -> Iterator[str]:
    yield from head("Decide again")
    yield from text_block(lines(decided))
    for move, reason, shown, count in chosen(decided):
        text = "would leave" if move == "leave" else "would enter, rejected until now"
        yield f"<h2>{count} {text}: {escape(reason)}</h2>"
        yield '<p>From nearest to the threshold to farthest from it.</p><div class="samples">'
        yield from (_figure(decided, number, move) for number in shown)
        yield "</div>"
    yield "</body></html>"


def _figure(decided: Decided, number: int, move: str) -> str:
    table = decided.after if move == "leave" else decided.before
    key, path = (decided.before[name][number].as_py() for name in ("key", "source_path"))
    return figure(decided.samples[number].image, key, f"{table['detail'][number].as_py()}; {key} of {path}")


def _sheet(decided: Decided) -> Image:
    bands = [_band(decided, shown, move, f"{move} {count}: {why}") for move, why, shown, count in chosen(decided)]
    return np.vstack(bands) if bands else np.zeros((SIDE, COLUMNS * SIDE, 3), np.uint8)


def _band(decided: Decided, shown: list[int], move: str, title: str) -> Image:
    """A title and the pictures of one reason, below a bar in the colour of the move."""
    colour = ENTER if move == "enter" else LEAVE
    top = np.zeros((28, COLUMNS * SIDE, 3), np.uint8)
    top[:BAR] = colour
    cv2.putText(top, title, (6, 22), cv2.FONT_HERSHEY_SIMPLEX, 0.55, (255, 255, 255), 1, cv2.LINE_AA)
    rows = -(-len(shown) // COLUMNS)
    tiles = [thumbnail(decided.samples[number].image) for number in shown]
    tiles += [np.zeros((SIDE, SIDE, 3), np.uint8)] * (rows * COLUMNS - len(tiles))
    return np.vstack([top, *(np.hstack(tiles[i : i + COLUMNS]) for i in range(0, len(tiles), COLUMNS))])
