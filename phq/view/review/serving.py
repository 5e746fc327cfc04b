"""`serve`: the review page on this machine. What ``phq review`` does is this one call."""

from __future__ import annotations

import errno
import secrets
import signal
import socket
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from types import FrameType

from phq.dataset.marks_log import open_log
from phq.errors import ConfigError, MissingExtraError, OutputError
from phq.system.atomic import disk_errors_explained
from phq.view.review.catalogue import Catalogue
from phq.view.review.overlay import fold

ADDRESS = "127.0.0.1"
_SHORTEST_TOKEN = 16
_BACKLOG = 128
_GRACE = 2
"""Seconds that open responses have once the server is to stop."""


@disk_errors_explained
def serve(
    dataset: Path,
    *,
    port: int,
    token: str | None = None,
    reviewer: str = "",
    body: str | None = None,
    notify: Callable[[str], None] = print,
) -> str | None:
    """Serve the review page until a signal ends it, and then put the marks into an overlay.

    Marks that a killed server has left in the log are put into an overlay first.

    Args:
        dataset: a folder.
        port: on 127.0.0.1; 0 for any that is free.
        token: of the link; a new one if None.
        reviewer: name that the page offers.
        body: spec of `phq.pose.body_choice`, to draw records that name that body.
        notify: receives lines for people; the link as soon as the server listens.

    Returns:
        Name of the overlay with the marks of this run, None if there are none.

    Raises:
        InputError: no dataset, or none of its samples has a picture.
        OutputError: another review of it is open, the port is taken, or its folder cannot be written.
        ConfigError: a token that can be guessed, or that no link can carry.
        MissingExtraError: the web framework is not installed.
    """
    try:
        import starlette  # noqa: F401
        import uvicorn
    except ImportError:
        raise MissingExtraError("starlette", "review", "the review page") from None
    from phq.view.review.app import Review, make_app

    token = _checked(token) if token is not None else secrets.token_urlsafe(24)
    catalogue = Catalogue(dataset, body)
    folder = catalogue.folder
    with open_log(folder) as log, closing(_listen(port)) as listener:
        if (left := fold(folder, log.marks)) is not None:
            notify(f"marks of an earlier review are now in the overlay {left}")
            catalogue = Catalogue(folder, body)
        review = Review(catalogue, log, reviewer)

        class _Server(uvicorn.Server):
            def handle_exit(self, sig: int, frame: FrameType | None) -> None:
                review.hub.close()
                super().handle_exit(sig, frame)

        config = uvicorn.Config(
            make_app(review, token), log_level="warning", timeout_graceful_shutdown=_GRACE, server_header=False
        )
        notify(f"{len(catalogue)} samples to review, {len(log.marks)} of them marked")
        notify(f"http://{ADDRESS}:{listener.getsockname()[1]}/?token={token}")
        with suppress(KeyboardInterrupt):  # uvicorn sends itself the signal again when it has stopped
            previous = signal.signal(signal.SIGTERM, signal.default_int_handler)
            try:
                _Server(config).run(sockets=[listener])
            finally:
                signal.signal(signal.SIGTERM, previous)
        return fold(folder, log.marks)


def _checked(token: str) -> str:
    if len(token) < _SHORTEST_TOKEN or not all(c.isascii() and (c.isalnum() or c in "-_") for c in token):
        raise ConfigError(f"a token has at least {_SHORTEST_TOKEN} letters, digits, '-' or '_'")
    return token


def _listen(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((ADDRESS, port))
        listener.listen(_BACKLOG)  # so that the link works as soon as it is printed
    except OSError as error:
        listener.close()
        taken = error.errno == errno.EADDRINUSE
        why = "is taken, perhaps by another review" if taken else f"cannot be used: {error.strerror}"
        raise OutputError(f"port {port} {why}; --port chooses another, --port 0 any that is free") from error
    return listener
