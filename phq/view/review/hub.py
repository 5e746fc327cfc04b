"""Notifies every open page of changes: server-sent events, one queue a page.

https://html.spec.whatwg.org/multipage/server-sent-events.html. An event's id is the number of the last action, so a
page that reconnects sends the last id it knows, and receives the rest.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

_BEAT = 15.0
"""Seconds without news after which a comment is sent, so that no proxy drops the connection."""


class Hub:
    """All pages that listen. Used from the event loop alone."""

    def __init__(self) -> None:
        self._queues: set[asyncio.Queue[dict[str, Any] | None]] = set()

    def publish(self, news: dict[str, Any]) -> None:
        """Send `news`, with its ``seq``, to every page."""
        for queue in self._queues:
            queue.put_nowait(news)

    def close(self) -> None:
        """End every stream, so that the server can stop."""
        for queue in self._queues:
            queue.put_nowait(None)

    async def stream(self, first: dict[str, Any]) -> AsyncIterator[bytes]:
        """Events for one page: `first`, then what is published."""
        queue: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()
        self._queues.add(queue)
        try:
            yield _event(first)
            while True:
                try:
                    news = await asyncio.wait_for(queue.get(), _BEAT)
                except asyncio.TimeoutError:
                    yield b": still here\n\n"
                    continue
                if news is None:
                    return
                yield _event(news)
        finally:
            self._queues.discard(queue)


def _event(news: dict[str, Any]) -> bytes:
    return f"id: {news['seq']}\ndata: {json.dumps(news, ensure_ascii=False)}\n\n".encode()
