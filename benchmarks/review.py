"""How smoothly the review page scrolls through a large dataset, in a headless Chromium.

    python benchmarks/review.py [ROWS]

The manifest is that of ``benchmarks/report.py`` (100,000 rows); every row has a stored picture of its own, of 256²,
which is read by its offset (1.5 GB in a temporary folder). A steady scroll, slow and fast, and the scroll bar pulled
from end to end; then leaps to places at random, until every picture that can be seen is there; then the map, orders,
filters and a lasso (their wall times have 0.8 s of waiting in them).

Printed are frames a second (60 at best; without a graphics card the drawing takes most of the time, and other work on
the machine shows), the processor time a frame of the page's own thread, of it scripts and layout with style, the gaps
between frames, what the server was asked for, how much of it twice, the nodes of the page, and the memory of the page
and of the server. A way that the machine does not keep up with ends after a minute, and says so. Needs Debian's
``chromium`` and ``phq[dev]``.
"""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = "1"

import json
import resource
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from playwright.sync_api import sync_playwright
from report import PICTURES, ROWS, write

from phq.dataset.reader import Dataset

TOKEN = "a-token-for-the-benchmark"
COMMAND = "from phq.cli import main; main()"
SIDE = 256
IN_SHARD = 5000
SECONDS = 5
LEAPS = 12
ARGUMENTS = ["--no-sandbox", "--disable-gpu"]
"""The grid and the map need no WebGL, whose emulation would draw the page too."""
FRAMES = """
([pixels, seconds]) => new Promise((done) => {
  const grid = document.querySelector("#grid"), gaps = [];
  const begun = performance.now();
  let last = begun;
  setTimeout(() => done(gaps.slice(1)), 60000);
  const step = (now) => {
    gaps.push(now - last);
    last = now;
    const part = (now - begun) / 1000 / seconds;
    if (part >= 1) return done(gaps.slice(1));
    if (pixels) grid.scrollTop += pixels; else grid.scrollTop = part * grid.scrollHeight;
    requestAnimationFrame(step);
  };
  requestAnimationFrame(step);
})
"""
"""Scroll on by some pixels a frame, or from end to end for 0, a minute at most; the gaps between frames, ms."""
LEAP = """
(part) => new Promise((done) => {
  const grid = document.querySelector("#grid");
  const begun = performance.now();
  grid.scrollTop = part * (grid.scrollHeight - grid.clientHeight);
  const there = () => {
    const shown = [...grid.querySelectorAll(".cell")].filter((cell) => !cell.hidden);
    const images = shown.map((cell) => cell.querySelector("img.photo"));
    if (performance.now() - begun > 15000) return done(NaN);
    const leaping = document.querySelector("#sheet").classList.contains("leaping");
    if (!leaping && images.length && images.every((image) => image.src && image.complete && image.naturalWidth))
      return done(performance.now() - begun);
    setTimeout(there, 16);
  };
  setTimeout(there, 120);  // the grid waits so long for the next leap before it asks for pictures
})
"""
"""Milliseconds until all pictures at a place, a part of the way down, are shown; NaN after 15 s."""


def with_own_pictures(folder: Path) -> None:
    """Give every row of the manifest a key and a stored picture of its own; the bytes of the pictures repeat."""
    path = folder / "manifest.parquet"
    table, schema = pq.read_table(path), pq.read_schema(path)
    pictures = [_smaller(item.read("jpg")) for item in Dataset(folder)[:PICTURES]]  # the rows repeat them
    keys = [f"{n * 0x9E3779B97F4A7C15 % 2**64:016x}" for n in range(len(table))]
    shards = [f"train/phq-train-{n // IN_SHARD:06d}.tar" for n in range(len(table))]
    offsets, sizes = [], []
    for start in range(0, len(table), IN_SHARD):
        with (folder / shards[start]).open("wb") as shard:
            for n in range(start, min(start + IN_SHARD, len(table))):
                content = pictures[n % len(pictures)]
                member = tarfile.TarInfo(f"{keys[n]}.jpg")
                member.size = len(content)
                shard.write(member.tobuf(tarfile.USTAR_FORMAT))
                offsets.append(shard.tell())
                sizes.append(len(content))
                shard.write(content + b"\0" * (-len(content) % tarfile.BLOCKSIZE))
    said = {"key": keys, "shard": shards, "jpg_offset": offsets, "jpg_size": sizes, "image_size": [SIDE] * len(keys)}
    for name, values in said.items():
        table = table.set_column(table.schema.get_field_index(name), name, pa.array(values))
    pq.write_table(table.cast(schema), path, compression="zstd", row_group_size=4096)


def _smaller(jpg: bytes) -> bytes:
    pixels = cv2.imdecode(np.frombuffer(jpg, np.uint8), cv2.IMREAD_REDUCED_COLOR_2)
    return bytes(cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, 85])[1].tobytes())


@contextmanager
def served(folder: Path) -> Iterator[tuple[str, int]]:
    """Address of the review page of a dataset, and the number of the server's process."""
    command = [sys.executable, "-c", COMMAND, "review", str(folder), "--port", "0", "--reviewer", "bench"]
    environment = {**os.environ, "PHQ_REVIEW_TOKEN": TOKEN}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout
        try:
            yield next(line.strip() for line in process.stdout if line.startswith("http://")), process.pid
        finally:
            process.terminate()


def told(what: str, gaps: list[float], busy: list[float], asked: Counter[str], nodes: int) -> str:
    """A line of the table."""
    if not gaps:
        return f"| {what} | no frame was drawn |"
    middle, most, worst = np.percentile(gaps, [50, 99, 100])
    again = sum(count - 1 for count in asked.values())
    task, script, layout = (1000 * seconds / len(gaps) for seconds in busy)
    return (
        f"| {what} | {len(gaps)} | {1000 * len(gaps) / sum(gaps):.0f} | {task:.1f} | {script:.1f} | {layout:.1f} | "
        f"{middle:.0f} | {most:.0f} | {worst:.0f} | {sum(asked.values())} | {again} | {nodes} |"
    )


CHOICES = {
    "sorted by blur": {"order": "blur"},
    "sorted by yaw, the greatest first": {"order": "camera_yaw_deg", "descending": True},
    "filtered to the left side": {"ranges": {"camera_yaw_deg": [45, 135]}},
    "filtered by path": {"text": "1"},
    "lasso over a part of the map": {"space": "all", "lasso": [[-0.6, -0.6], [0.5, -0.4], [0, 0.7]]},
    "most similar to one": {"order": "similar", "like": f"{0x9E3779B97F4A7C15:016x}"},
    "unlike all others first": {"order": "apart", "descending": True},
    "everything again": {},
}
"""What is asked for in the page's address, one after the other."""


@contextmanager
def timed(what: str, session: Any, server: int) -> Iterator[None]:
    """Print how long the block took: wall, the page's own thread, and the server's processor time."""
    begun, busy, worked = time.perf_counter(), spent(session), server_seconds(server)
    yield
    print(f"| {what} | {1000 * (time.perf_counter() - begun):.0f} | {1000 * (spent(session) - busy):.0f} | "
          f"{1000 * (server_seconds(server) - worked):.0f} |", flush=True)  # fmt: skip


def explore(page: Any, session: Any, server: int) -> None:
    """Print how long the map, and each of `CHOICES`, takes, and one drawing of the map."""
    print("\n| milliseconds | until shown | page's thread | server's processor |\n|---|---|---|---|")
    page.evaluate("document.querySelector('#grid').focus()")
    with timed("map", session, server):
        page.keyboard.press("m")
        page.wait_for_selector("text=/-?\\d+ to \\d+/", timeout=120_000)
    for what, choice in CHOICES.items():
        with timed(what, session, server):
            address = f"#{quote(json.dumps({**choice, 'map': True}))}"
            with page.expect_response(lambda response: "/api/choose" in response.url, timeout=120_000):
                page.evaluate("(address) => { location.hash = address; }", address)
            page.wait_for_selector("#grid .cell img.photo[src]")
            page.wait_for_timeout(800)
    page.focus("#map")
    busy = spent(session)
    for _ in range(20):
        page.keyboard.press("+")
        page.wait_for_timeout(100)
    print(f"\na drawing of the map: {50 * (spent(session) - busy):.1f} ms of the page's thread")


def server_seconds(server: int) -> float:
    """Processor time of the server until now."""
    fields = Path(f"/proc/{server}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory(session: Any, server: int) -> str:
    """Heap of the page, and the most that the server had in memory."""
    heap = {metric["name"]: metric["value"] for metric in session.send("Performance.getMetrics")["metrics"]}
    status = Path(f"/proc/{server}/status").read_text()
    most = int(status.partition("VmHWM:")[2].split()[0])
    return f"memory: {heap['JSHeapUsedSize'] / 2**20:.0f} MB of scripts in the page, {most / 1024:.0f} MB of the server"


def spent(session: Any) -> float:
    """Seconds of processor time that the page's own thread has taken."""
    return spent_on(session)[0]


def spent_on(session: Any) -> list[float]:
    """The same: in all, on scripts, on layout and style."""
    found = {metric["name"]: metric["value"] for metric in session.send("Performance.getMetrics")["metrics"]}
    return [found["TaskDuration"], found["ScriptDuration"], found["LayoutDuration"] + found["RecalcStyleDuration"]]


WAYS = (("not at all", 1e-9), ("15 px a frame", 15), ("60 px a frame", 60), (f"end to end in {SECONDS} s", 0))
"""Pixels a frame; 0 for end to end."""


def measure(page: Any, session: Any, asked: Counter[str]) -> None:
    """Print the table and the times of the leaps."""
    print("| scrolled | frames | a second | processor ms a frame | scripts | layout | gap, median | 99 of 100 | "
          "longest | fetched | twice | nodes |")  # fmt: skip
    print("|---|---|---|---|---|---|---|---|---|---|---|---|", flush=True)
    for what, pixels in WAYS:
        asked.clear()
        page.evaluate("document.querySelector('#grid').scrollTop = 0")
        page.wait_for_timeout(1500)
        begun = spent_on(session)
        gaps = page.evaluate(FRAMES, [pixels, SECONDS])
        busy = [after - before for before, after in zip(begun, spent_on(session), strict=True)]
        page.wait_for_timeout(1500)
        nodes = page.evaluate("document.querySelectorAll('*').length")
        print(told(what, gaps, busy, asked, nodes), flush=True)
    asked.clear()
    parts = np.random.default_rng(0).random(LEAPS).tolist()
    times = [page.evaluate(LEAP, part) for part in parts]
    there = [time for time in times if not np.isnan(time)]
    print(f"\n{LEAPS} leaps, {LEAPS - len(there)} without all pictures after 15 s: there after "
          f"{np.median(there or [np.nan]):.0f} ms (median), {max(there, default=np.nan):.0f} ms at most; "
          f"{sum(asked.values())} fetched, {sum(count - 1 for count in asked.values())} of them twice")  # fmt: skip


def _from_server(response: dict[str, Any]) -> list[str]:
    return [] if response.get("fromDiskCache") else [response["url"]]


def main() -> None:
    """Write the dataset, serve it, and scroll."""
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else ROWS
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        folder = Path(name)
        write(folder, rows)
        with_own_pictures(folder)
        environment = {key: value for key, value in os.environ.items() if not key.lower().endswith("_proxy")}
        chromium = shutil.which("chromium")
        browser = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS, env=environment)
        with served(folder) as (address, server):
            page = browser.new_context(viewport={"width": 1600, "height": 1000}).new_page()
            asked: Counter[str] = Counter()
            session = page.context.new_cdp_session(page)
            session.send("Network.enable")
            session.send("Performance.enable", {"timeDomain": "threadTicks"})
            session.on("Network.responseReceived", lambda said: asked.update(_from_server(said["response"])))
            begun = time.perf_counter()
            page.goto(address)
            page.wait_for_selector("#ask-name[open]")
            page.keyboard.press("Enter")
            page.wait_for_selector("#grid .cell img.photo[src]")
            print(f"{rows:,} samples, page {time.perf_counter() - begun:.1f} s after the link was opened\n")
            page.wait_for_timeout(3000)
            measure(page, session, asked)
            explore(page, session, server)
            print(memory(session, server))
        browser.close()
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    print(f"processor time of all this: {sum(each.ru_utime + each.ru_stime for each in used):.0f} s")


if __name__ == "__main__":
    main()
