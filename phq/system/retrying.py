"""Requests to servers and object stores that may fail for a moment: tried again, a few times, and told."""

from __future__ import annotations

import errno
import logging
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem
    from tenacity import RetryCallState

Result = TypeVar("Result")
ATTEMPTS = 6
"""Of a request; with `FIRST_WAIT_S` about a quarter of a minute, unless the server asks for more."""
FIRST_WAIT_S = 0.5
"""Longest first wait; it doubles each time, and a random part of it is waited, so that workers do not come at once."""
LONGEST_WAIT_S = 60.0
"""Longest wait, also where the server asks for a longer one."""
_STATUS = frozenset({408, 425, 429, 500, 502, 503, 504})
"""HTTP states that pass (RFC 9110 §15, RFC 6585 §4, RFC 8470 §5.2)."""
_ERRNO = frozenset({
    errno.EBUSY, errno.ETIMEDOUT, errno.ECONNRESET, errno.ECONNABORTED, errno.ECONNREFUSED, errno.EPIPE,
    errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EAGAIN,
})  # fmt: skip
_PASSING = frozenset({
    "ClientPayloadError", "ClientConnectionError", "IncompleteRead", "IncompleteReadError", "HTTPClientError",
    "ResponseStreamingError", "ReadTimeoutError", "FSTimeoutError",
})  # fmt: skip
"""Base classes, in aiohttp, http.client, botocore and fsspec, of a connection that breaks or says nothing."""
_LASTING = frozenset({"ClientConnectorDNSError", "ClientConnectorCertificateError", "InvalidURL"})
_LOG = logging.getLogger("phq")


class ShortReadError(OSError):
    """A server sent fewer bytes of a file than it says the file has."""


def check_length(fs: AbstractFileSystem, path: str, start: int, end: int | None, length: int) -> None:
    """Distinguish a short answer from a file that ends there.

    Args:
        fs: of the file.
        path: in `fs`.
        start: first byte that was asked for.
        end: byte after the last that was asked for; None for the rest of the file.
        length: bytes of the answer.

    Raises:
        ShortReadError: the server says that the file has more.
    """
    if end is not None and length >= end - start:
        return
    size = fs.info(path).get("size")
    if size is not None and start + length < (size if end is None else min(end, size)):
        raise ShortReadError(f"the server sent {length} bytes from {start} on, of a file of {size}")


def retried(what: str, request: Callable[[], Result]) -> Result:
    """The result of a request; after an error that passes it is made again, `ATTEMPTS` times at most.

    Each wait is a warning of the logger ``phq``. A server's ``Retry-After`` is kept to.

    Args:
        what: is read, for the log.
        request: may be made any number of times.

    Raises:
        Exception: of the last attempt, or the first that does not pass.
    """
    try:
        return request()
    except Exception as error:
        if not is_passing(error):
            raise
        return _retried(what, request, error)


def _retried(what: str, request: Callable[[], Result], first: Exception) -> Result:
    """The same after a first error, which counts: tenacity is imported only now, since it brings asyncio."""
    from tenacity import Retrying, retry_if_exception, stop_after_attempt

    errors = [first]

    def attempt() -> Result:
        if errors:
            raise errors.pop()
        return request()

    attempts = Retrying(
        retry=retry_if_exception(is_passing),
        stop=stop_after_attempt(ATTEMPTS),
        wait=_wait,
        before_sleep=lambda state: _tell(what, state),
        reraise=True,
    )
    return attempts(attempt)


def is_passing(error: BaseException) -> bool:
    """Whether the same request may succeed a little later."""
    return any(_passes(cause) for cause in _causes(error))


def _causes(error: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__


def _passes(error: BaseException) -> bool:
    names = {kind.__name__ for kind in type(error).__mro__}
    if names & _LASTING:
        return False
    if (status := _status(error)) is not None:
        return status in _STATUS
    if isinstance(error, (ShortReadError, TimeoutError, ConnectionError)) or names & _PASSING:
        return True
    return isinstance(error, OSError) and error.errno in _ERRNO


def _status(error: BaseException) -> int | None:
    """HTTP status that an error of aiohttp, botocore or gcsfs carries; None without one."""
    status = getattr(error, "status", None) or _metadata(error).get("HTTPStatusCode")
    if status is None:
        status = getattr(error, "code", None)
    return status if isinstance(status, int) else None


def _metadata(error: BaseException) -> dict[str, Any]:
    response = getattr(error, "response", None)
    return response.get("ResponseMetadata", {}) if isinstance(response, dict) else {}


def _asked_to_wait(error: BaseException | None) -> float:
    """Seconds of a ``Retry-After``; 0 without one, or where it is a date."""
    for cause in _causes(error) if error else ():
        headers = getattr(cause, "headers", None) or _metadata(cause).get("HTTPHeaders") or {}
        with suppress(ValueError, TypeError, AttributeError):
            return float(headers.get("Retry-After") or headers.get("retry-after") or 0)
    return 0.0


def _wait(state: RetryCallState) -> float:
    from tenacity import wait_random_exponential

    usual = wait_random_exponential(multiplier=FIRST_WAIT_S, max=LONGEST_WAIT_S)(state)
    error = state.outcome.exception() if state.outcome else None
    return min(max(usual, _asked_to_wait(error)), LONGEST_WAIT_S)


def _tell(what: str, state: RetryCallState) -> None:
    error = state.outcome.exception() if state.outcome else None
    wait = state.next_action.sleep if state.next_action else 0.0
    _LOG.warning(
        "%s: %s; attempt %d of %d in %.1f s", what, str(error) or type(error).__name__, state.attempt_number + 1,
        ATTEMPTS, wait,
    )  # fmt: skip
