"""Downloads that survive cut connections: one file from the first of several addresses that gives the right bytes.

What has come lies in ``FILE.part``, and ``FILE.part.json`` says where from. A later attempt asks for the rest
(RFC 9110, sections 13 and 14: Range, and If-Range so that a file that has changed meanwhile comes whole).
"""

from __future__ import annotations

import json
import os
import re
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlsplit

import requests
from requests import exceptions as failures
from tqdm import tqdm

from phq.errors import OutputError, WeightError
from phq.system.atomic import output_errors
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


@dataclass(frozen=True)
class Wanted:
    """What a download must yield."""

    size: int | None
    sha256: str | None


class _RefusedError(Exception):
    """An address cannot give the file; the text says why."""


class _CutError(Exception):
    """A request brought less than all; another may bring the rest."""


def download(urls: Sequence[str], part: Path, wanted: Wanted, quiet: bool = True) -> str:
    """Fill `part` with the whole file; its sha256.

    Raises:
        WeightError: no address gives it; the message has the reason of each.
        OutputError: the disk is full or cannot be written; what came is kept.
    """
    reasons = []
    with _session() as session:
        for url in urls:
            try:
                return _Transfer(session, url, part, wanted, quiet).run()
            except _RefusedError as refusal:
                reasons.append(f"{_host(url)} {refusal}")
    raise WeightError(f"{part.stem} cannot be downloaded: {'; '.join(reasons)}")


def discard(part: Path) -> None:
    """Remove what came so far."""
    part.unlink(missing_ok=True)
    _notes(part).unlink(missing_ok=True)


def _session() -> requests.Session:
    """Proxies and certificates are those of the environment, as requests reads it, and SSL_CERT_FILE."""
    session = requests.Session()
    session.headers.update({"User-Agent": f"phq/{__version__}", "Accept-Encoding": "identity"})
    session.max_redirects = 10
    session.verify = os.environ.get("SSL_CERT_FILE") or True
    return session


class _Transfer:
    """One file from one address."""

    def __init__(self, session: requests.Session, url: str, part: Path, wanted: Wanted, quiet: bool) -> None:
        self.session, self.url, self.part, self.wanted, self.quiet = session, url, part, wanted, quiet
        self.resumed = False

    def run(self) -> str:
        """Until all of it is there; bytes put together from two requests get a second chance as a whole."""
        if self.wanted.sha256 and self.wanted.size == self._length():
            self.resumed = True  # an earlier call was stopped just before its end
        else:
            self._fill()
        found = sha256_of(self.part)
        if self.wanted.sha256 and found != self.wanted.sha256 and self.resumed:
            discard(self.part)
            self._fill()
            found = sha256_of(self.part)
        if self.wanted.sha256 and found != self.wanted.sha256:
            discard(self.part)
            raise _RefusedError(f"sends another file (sha256 {found}, expected {self.wanted.sha256}); it was deleted")
        return found

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
        start, headers = self._continuation()
        with _told(), self.session.get(self.url, headers=headers, stream=True, timeout=TIMEOUT) as response:
            self._check(response)
            if response.status_code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
                discard(self.part)
                raise _CutError("does not continue the file")
            if response.status_code != HTTPStatus.PARTIAL_CONTENT:
                start = 0  # the whole file: ranges are ignored, or it has changed
            total = self._total(response, start)
            self._check_room(total, start)
            self._note(response)
            self.resumed |= start > 0
            self._write(response, start, total)
        if total is not None and self._length() < total:
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

    def _total(self, response: requests.Response, start: int) -> int | None:
        """Length of the whole file as the server tells it; None if it does not."""
        stated = response.headers.get("Content-Length", "")
        total = int(stated) if stated.isdigit() else None
        if response.status_code == HTTPStatus.PARTIAL_CONTENT:
            ranged = re.fullmatch(r"bytes (\d+)-\d+/(\d+)", response.headers.get("Content-Range", ""))
            if not ranged or int(ranged[1]) != start:
                discard(self.part)
                raise _CutError("does not continue the file where it was asked to")
            total = int(ranged[2])
        if total is not None and self.wanted.size is not None and total != self.wanted.size:
            raise _RefusedError(f"has a file of {total} bytes there, expected {self.wanted.size}; it was left alone")
        if total is None and self.wanted == Wanted(None, None) and "Transfer-Encoding" not in response.headers:
            raise _RefusedError("does not say how long the file is, and neither its size nor its checksum is known")
        return total if total is not None else self.wanted.size

    def _check_room(self, total: int | None, start: int) -> None:
        free = shutil.disk_usage(self.part.parent).free
        if total is not None and total - start > free:
            needed = f"{self.part.stem} needs {(total - start) / 1e6:.1f} MB more"
            raise OutputError(
                f"{needed}, and {self.part.parent} has {free / 1e6:.1f} MB left: make room, or set PHQ_CACHE to a "
                "folder on another disk"
            )

    def _write(self, response: requests.Response, start: int, total: int | None) -> None:
        with output_errors(self.part):
            stream = self.part.open("ab" if start else "wb")
        bar = tqdm(
            desc=self.part.stem, total=total, initial=start, unit="B", unit_scale=True, disable=self.quiet, leave=False
        )
        with stream, bar:
            for chunk in response.iter_content(CHUNK):
                with output_errors(self.part):
                    stream.write(chunk)
                bar.update(len(chunk))
            with output_errors(self.part):
                stream.flush()
                os.fsync(stream.fileno())

    def _length(self) -> int:
        return self.part.stat().st_size if self.part.is_file() else 0

    def _continuation(self) -> tuple[int, dict[str, str]]:
        """Where to go on, and the headers that ask for it.

        Without a checksum to hold the whole against, only what is surely the rest of the same file is taken.
        """
        start = self._length()
        try:
            notes = json.loads(_notes(self.part).read_bytes())
            same, validator = notes["url"] == self.url, str(notes["validator"])
        except (OSError, ValueError, KeyError, TypeError):
            same, validator = False, ""
        if not start or not (self.wanted.sha256 or (same and validator)):
            return 0, {}
        return start, {"Range": f"bytes={start}-"} | ({"If-Range": validator} if same and validator else {})

    def _note(self, response: requests.Response) -> None:
        etag = response.headers.get("ETag", "")
        strong = etag if not etag.startswith("W/") else ""  # a weak one is not allowed in If-Range
        notes = {"url": self.url, "validator": strong or response.headers.get("Last-Modified", "")}
        with output_errors(_notes(self.part)):
            _notes(self.part).write_text(json.dumps(notes), encoding="utf-8")


@contextmanager
def _told() -> Iterator[None]:
    """What went wrong on the way, in words; a broken connection may be tried again."""
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


def _notes(part: Path) -> Path:
    return part.with_name(part.name + ".json")


def _host(url: str) -> str:
    return urlsplit(url).hostname or url
