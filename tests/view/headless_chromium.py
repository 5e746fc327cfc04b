"""A real headless Chromium for tests that look at pages; Debian's package `chromium`, driven by Playwright."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

_ARGUMENTS = [
    "--no-sandbox",  # in a container without user namespaces
    "--use-angle=swiftshader", "--enable-unsafe-swiftshader",  # WebGL without a graphics card
]  # fmt: skip


@contextmanager
def chromium() -> Iterator[Any]:
    """A browser (`playwright.sync_api.Browser`), closed at the end of the block.

    Skips the test, with the reason, where there is no Chromium or no Playwright.
    """
    executable = shutil.which("chromium")
    if executable is None:
        pytest.skip("no chromium on PATH (Debian: apt-get install chromium)")
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed (phq[dev])")
    environment = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=_ARGUMENTS, env=environment)
        try:
            yield browser
        finally:
            browser.close()
