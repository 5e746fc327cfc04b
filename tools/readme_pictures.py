"""The README's pictures of a dataset: contact sheet, report and review page, as JPEG of at most 150 kB each.

    python tools/readme_pictures.py DATASET [OUT]

DATASET is what ``make demo`` builds (`demo-out`, copied: the review writes into it); OUT is ``docs``. Needs Debian's
``chromium`` and ``phq[dev]``. The fourth picture, ``orbit.jpg``, is of a trained generator (docs/train.md).
"""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import sync_playwright

MOST = 150_000
"""Bytes of a picture."""
SIZE = {"width": 1500, "height": 900}
COMMAND = "from phq.cli import main; main()"
WAIT = 120_000
"""Milliseconds that something may take."""
SETTLED = 3000
"""Milliseconds after which pictures and plots have appeared."""


def jpeg(image: Image.Image) -> bytes:
    """The picture in the best quality that is small enough."""
    for quality in range(88, 20, -4):
        stream = io.BytesIO()
        image.convert("RGB").save(stream, "JPEG", quality=quality, optimize=True, progressive=True)
        if stream.tell() <= MOST:
            return stream.getvalue()
    raise SystemExit("a picture does not fit")


@contextmanager
def report(page: Any, dataset: Path) -> Iterator[None]:
    """The report, at its top."""
    subprocess.run([sys.executable, "-c", COMMAND, "report", str(dataset)], check=True)
    page.goto((dataset / "report.html").as_uri())
    page.wait_for_selector("body[data-ready]")
    yield


@contextmanager
def review(page: Any, dataset: Path) -> Iterator[None]:
    """The review page: most similar first, beside the map."""
    command = [sys.executable, "-c", COMMAND, "review", str(dataset), "--port", "0", "--reviewer", "ann"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            page.goto(next(line.strip() for line in process.stdout if line.startswith("http://")))
            page.wait_for_selector("#ask-name[open]")
            for key in ("Enter", "s", "m"):
                page.keyboard.press(key)
                page.wait_for_timeout(SETTLED)
            page.wait_for_selector("text=-180 to 180")
            yield
        finally:
            process.terminate()


def shot(browser: Any, show: Any, dataset: Path) -> Image.Image:
    """What a browser shows of a dataset."""
    page = browser.new_context(viewport=SIZE, color_scheme="light").new_page()
    page.set_default_timeout(WAIT)
    with show(page, dataset):
        page.wait_for_timeout(SETTLED)
        return Image.open(io.BytesIO(page.screenshot()))


def main() -> None:
    """Write the three pictures."""
    out = Path(sys.argv[2] if len(sys.argv) > 2 else "docs")
    environment = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        dataset = Path(name) / "demo"
        shutil.copytree(sys.argv[1], dataset)
        (out / "contact-sheet.jpg").write_bytes(jpeg(Image.open(dataset / "contact-sheet.png")))
        arguments = ["--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=arguments, env=environment)
        for show in (report, review):
            (out / f"{show.__name__}.jpg").write_bytes(jpeg(shot(browser, show, dataset)))
        browser.close()


if __name__ == "__main__":
    main()
