"""A local HTTP server with the vices that a download must survive."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Server:
    """What it serves and how; tests change it between requests."""

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    ranges: bool = True
    lengths: bool = True
    cuts: list[int] = field(default_factory=list)
    """Bytes after which the next answers break off, one a request."""
    status: dict[str, list[int]] = field(default_factory=dict)
    """Refusals of a file, one a request, before it is served."""
    redirects: dict[str, str] = field(default_factory=dict)
    extra: dict[str, str] = field(default_factory=dict)
    """Further headers."""
    before: Callable[[], None] = lambda: None
    """Called before each answer."""
    asked: list[tuple[str, str]] = field(default_factory=list)
    """Path and Range of every request."""
    sent: int = 0
    """Bytes of bodies."""


class _Handler(BaseHTTPRequestHandler):
    """Answers as `vices` says."""

    vices: Server
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        content = self.vices.files.get(self.path.rsplit("/", 1)[-1])
        self.close_connection = True
        self.send_response(404 if content is None else 200)
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(len(content or b"")))
        self.send_header("Connection", "close")
        self.end_headers()

    def do_GET(self) -> None:
        server = self.vices
        name = self.path.rsplit("/", 1)[-1]
        server.asked.append((self.path, self.headers.get("Range", "")))
        server.before()
        self.close_connection = True
        if refusals := server.status.get(name):
            self.refuse(refusals.pop(0))
        elif name in server.redirects:
            self.send_response(302)
            self.send_header("Location", server.redirects[name])
            self.send_header("Content-Length", "0")
            self.send_header("Connection", "close")
            self.end_headers()
        elif name in server.files:
            self.answer(server.files[name])
        else:
            self.send_error(404)

    def refuse(self, status: int) -> None:
        self.send_response(status)
        for header, value in self.vices.extra.items():
            self.send_header(header, value)
        self.send_header("Content-Length", "0")
        self.send_header("Connection", "close")
        self.end_headers()

    def answer(self, content: bytes) -> None:
        server = self.vices
        total, first = len(content), 0
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        end = total
        if asked and server.ranges:
            first, end = int(asked[1]), min(total, int(asked[2]) + 1) if asked[2] else total
            if first >= total:
                self.send_error(416)
                return
        is_part = first > 0 or end < total
        self.send_response(206 if is_part else 200)
        if is_part:
            self.send_header("Content-Range", f"bytes {first}-{end - 1}/{total}")
        content = content[:end]
        if server.lengths:
            self.send_header("Content-Length", str(end - first))
        for header, value in server.extra.items():
            self.send_header(header, value)
        self.send_header("Connection", "close")
        self.end_headers()
        body = content[first:][: server.cuts.pop(0) if server.cuts else None]
        server.sent += len(body)  # before the client has all of it and looks
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


@contextmanager
def misbehaving() -> Iterator[Server]:
    """At a free port of this machine."""
    server = Server()
    handler = type("Handler", (_Handler,), {"vices": server})
    http = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.url = f"http://127.0.0.1:{http.server_port}"
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        http.shutdown()
        http.server_close()
        thread.join()
