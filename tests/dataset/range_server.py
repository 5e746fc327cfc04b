"""A local HTTP server that knows ranges, or does not, and counts what it sends."""

from __future__ import annotations

import re
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class Served:
    """Where the folder is served, and the bytes that were sent of each file."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.sent: Counter[str] = Counter()


@contextmanager
def serving(folder: Path, ranges: bool = True) -> Iterator[Served]:
    """Serve the files of a folder at a free port of this machine."""

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.answer(body=False)

        def do_GET(self) -> None:
            self.answer(body=True)

        def answer(self, body: bool) -> None:
            path = folder / self.path.lstrip("/")
            if not path.is_file():
                self.send_error(404)
                return
            content, status = path.read_bytes(), 200
            asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
            self.protocol_version = "HTTP/1.1"
            if asked and ranges:
                status, total, first = 206, len(content), int(asked[1])
                content = content[first : int(asked[2]) + 1 if asked[2] else None]
            self.send_response(status)
            if status == 206:
                self.send_header("Content-Range", f"bytes {first}-{first + len(content) - 1}/{total}")
            if ranges:
                self.send_header("Accept-Ranges", "bytes")
            self.send_header("Content-Length", str(len(content)))
            self.send_header("Connection", "close")  # it is, and a client that used it again would meet its end
            self.end_headers()
            if body:
                served.sent[self.path.lstrip("/")] += len(content)
                self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    served = Served(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield served
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
