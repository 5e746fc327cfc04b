"""Downloads that survive cut connections: one file from the first of several addresses that gives the right bytes.

The bytes received so far are in ``FILE.part``; a later attempt asks for the rest (RFC 9110, section 14: Range). Every
file is held to its registered sha256, so parts of two different files are never kept together.
"""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

import requests
from requests import exceptions as failures

from phq.errors import OutputError, WeightError
from phq.system.atomic import output_errors
from phq.system.bars import bar
from phq.system.sizes import size_text
from phq.system.version import __version__
from phq.weights.digest import sha256_of

ATTEMPTS = 5
"""Requests in a row that bring nothing new before an address is given up."""
PAUSE = 0.5
"""Seconds before the second of them; doubled each time."""
TIMEOUT = (10.0, 60.0)
"""Seconds to connect, and between two bytes."""
CHUNK = 1 << 14
"""Bytes written at a time. A connection that breaks costs the unfinished chunk, so they are small."""
PASSING = (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS)
"""Refusals (beside all of 5xx) that may pass."""
REFUSALS = {401: "asks for a login", 403: "does not allow it", 404: "has no such file", 410: "has it no more"}


class _RefusedError(Exception):
    """An address cannot give the file; the text says why."""


class _CutError(Exception):
    """A request brought less than all; another may bring the rest."""


def download(urls: Sequence[str], part: Path, size: int, sha256: str, quiet: bool = True) -> None:
    """Fill `part` with the whole file.

    Args:
        urls: addresses, asked in turn until one gives the file.
        part: where the bytes are collected; an earlier part is continued.
        size: length of the file, bytes.
        sha256: its checksum, hexadecimal.
        quiet: no progress bar.

    Raises:
        WeightError: no address gives the file; the message has the reason for each.
        OutputError: the disk is full or cannot be written; the bytes received are kept.
    """
    reasons = []
    with _session() as session:
        for url in urls:
            try:
                return _Transfer(session, url, part, size, sha256, quiet).run()
            except _RefusedError as refusal:
                reasons.append(f"{_host(url)} {refusal}")
    raise WeightError(f"{part.stem} cannot be downloaded: {'; '.join(reasons)}")


def _session() -> requests.Session:
    """Proxies and certificates are those of the environment, as requests reads it, and SSL_CERT_FILE."""
    session = requests.Session()
    session.headers.update({"User-Agent": f"phq/{__version__}", "Accept-Encoding": "identity"})
    session.max_redirects = 10
    session.verify = os.environ.get("SSL_CERT_FILE") or True
    return session


@dataclass
class _Transfer:
    """One file from one address."""

    session: requests.Session
    url: str
    part: Path
    size: int
    sha256: str
    quiet: bool
    resumed: bool = False
    """Whether the bytes come from more than one request."""

    def run(self) -> None:
        """Until the whole file is there; bytes put together from two requests get a second chance as a whole."""
        if self.size == self._length():
            self.resumed = True  # an earlier call was stopped just before its end
        else:
            self._fill()
        actual = sha256_of(self.part)
        if self.resumed and actual != self.sha256:
            self._discard()
            self._fill()
            actual = sha256_of(self.part)
        if actual != self.sha256:
            self._discard()
            raise _RefusedError(f"sends another file (sha256 {actual}, expected {self.sha256}); it was deleted")

    def _fill(self) -> None:
        furthest, idle = self._length(), 0
        while True:
            try:
                return self._request()
            except _CutError as cut:
                reached = self._length()
                idle = 0 if reached > furthest else idle + 1
                furthest = max(furthest, reached)
                if idle >= ATTEMPTS:
                    kept = f"; {reached} bytes are kept, and the same command continues from there" if reached else ""
                    raise _RefusedError(f"{cut}, {idle} times in a row{kept}") from cut
                time.sleep(PAUSE * 2**idle)

    def _request(self) -> None:
        """One request, from where the part ends."""
        start = self._length()
        headers = {"Range": f"bytes={start}-"} if start else {}
        with _explained(), self.session.get(self.url, headers=headers, stream=True, timeout=TIMEOUT) as response:
            self._check(response)
            if response.status_code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
                self._discard()
                raise _CutError("does not continue the file")
            if response.status_code != HTTPStatus.PARTIAL_CONTENT:
                start = 0  # the whole file: the server ignores ranges
            self._check_length(response, start)
            self._check_room(start)
            self.resumed |= start > 0
            self._write(response, start)
        if self._length() < self.size:
            raise _CutError("breaks the connection")

    def _check(self, response: requests.Response) -> None:
        if self.url.startswith("https:") and not response.url.startswith("https:"):
            raise _RefusedError("leads away from https; nothing was downloaded")
        status = response.status_code
        if status in PASSING or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise _CutError(f"answers {status} {response.reason}")
        if status >= HTTPStatus.BAD_REQUEST and status != HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            raise _RefusedError(f"{REFUSALS.get(status, 'refuses')} ({status} {response.reason}): {self.url}")
        if response.headers.get("Content-Encoding", "identity") != "identity":
            raise _RefusedError("sends the file in another encoding, perhaps through a proxy that changes it")

    def _check_length(self, response: requests.Response, start: int) -> None:
        stated = response.headers.get("Content-Length", "")
        if response.status_code == HTTPStatus.PARTIAL_CONTENT:
            ranged = re.fullmatch(r"bytes (\d+)-\d+/(\d+)", response.headers.get("Content-Range", ""))
            if not ranged or int(ranged[1]) != start:
                self._discard()
                raise _CutError("does not continue the file where it was asked to")
            stated = ranged[2]
        if stated.isdigit() and int(stated) != self.size:
            raise _RefusedError(f"has a file of {stated} bytes there, expected {self.size}; it was left alone")

    def _check_room(self, start: int) -> None:
        free = shutil.disk_usage(self.part.parent).free
        if self.size - start > free:
            needed = f"{self.part.stem} needs {size_text(self.size - start)} more"
            raise OutputError(
                f"{needed}, and {self.part.parent} has {size_text(free)} left: make room, or set PHQ_CACHE to a "
                "folder on another disk"
            )

    def _write(self, response: requests.Response, start: int) -> None:
        shown = bar(total=self.size, initial=start, unit="B", desc=self.part.stem, quiet=self.quiet, leave=False)
        with self._opened("ab" if start else "wb") as stream, shown:
            for chunk in response.iter_content(CHUNK):
                with output_errors(self.part):
                    stream.write(chunk)
                shown.update(len(chunk))
            with output_errors(self.part):
                stream.flush()
                os.fsync(stream.fileno())

    @contextmanager
    def _opened(self, mode: str) -> Iterator[IO[bytes]]:
        with output_errors(self.part):
            stream = self.part.open(mode)
        try:
            yield stream
        finally:
            with output_errors(self.part):  # closing writes again what could not be written
                stream.close()

    def _length(self) -> int:
        return self.part.stat().st_size if self.part.is_file() else 0

    def _discard(self) -> None:
        self.part.unlink(missing_ok=True)


@contextmanager
def _explained() -> Iterator[None]:
    """Failures of a request, in words; a broken connection may be tried again."""
    try:
        yield
    except failures.SSLError as error:
        if "CERTIFICATE" not in str(error):
            raise _CutError("breaks the connection") from error
        advice = "behind a company proxy, REQUESTS_CA_BUNDLE must name the file with the company's certificates"
        raise _RefusedError(f"has a certificate that is not trusted here ({advice})") from error
    except failures.ProxyError as error:
        raise _RefusedError("is behind a proxy that does not answer or refuses: look at HTTPS_PROXY") from error
    except failures.TooManyRedirects as error:
        raise _RefusedError("redirects without end") from error
    except failures.Timeout as error:
        raise _CutError("does not answer in time") from error
    except (failures.ChunkedEncodingError, failures.ContentDecodingError) as error:
        raise _CutError("breaks the connection") from error
    except failures.ConnectionError as error:
        raise _CutError("cannot be reached, or breaks the connection") from error
    except failures.RequestException as error:
        raise _RefusedError(f"is no address to download from ({error})") from error


def _host(url: str) -> str:
    return urlsplit(url).hostname or url
