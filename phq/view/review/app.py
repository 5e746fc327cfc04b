"""The web application of the review page: a few routes over `Catalogue` and `MarkLog`."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from phq.dataset.marks import Action
from phq.dataset.marks_log import MarkLog
from phq.errors import InputError, OutputError, PhqError
from phq.reasons import FLIPPED, RULES
from phq.reasons import REVIEW_REASONS as REASONS
from phq.schema import Row
from phq.view.review.catalogue import ANGLES, Catalogue
from phq.view.review.choosing import Choice, choose, histograms
from phq.view.review.guard import HOSTS, Guard
from phq.view.review.hub import Hub
from phq.view.review.overlay import fold
from phq.view.review.pictures import SIZES, body_layer, faces, thumbnail, vertices

STATIC = Path(__file__).parent / "static"
_FOREVER = {"Cache-Control": "private, max-age=31536000, immutable"}
_NEVER = {"Cache-Control": "no-store"}
_MOST_ROWS = 512
"""Samples that one request can ask about."""
_HEAD_BYTES, _KEY_BYTES = 1 << 16, 32
"""Bytes that a request may have: for all but the keys, and for each key."""
_FULL_SCALE = 32767
_LAYERS = 4096
"""Body layers kept, of some 5 kB."""


class _Mark(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    reviewer: str
    mark: str
    reason: str = ""
    tag: str = ""
    keys: list[str]


class _Undo(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    reviewer: str


class Review:
    """The routes of the page.

    Args:
        catalogue: samples to review.
        log: receives the marks.
        reviewer: name that the page offers a new reviewer.
    """

    def __init__(self, catalogue: Catalogue, log: MarkLog, reviewer: str = "") -> None:
        self.catalogue = catalogue
        self.log = log
        self.reviewer = reviewer
        self.hub = Hub()
        self._layer = lru_cache(_LAYERS)(self._drawn)

    @cached_property
    def _histograms(self) -> dict[str, Any]:
        return histograms(self.catalogue)

    def routes(self) -> list[Route | Mount]:
        """Every address of the server."""
        key = "{key:str}"
        return [
            Route("/", self.page),
            Mount("/static", StaticFiles(directory=STATIC)),
            Route("/api/about", self.about),
            Route("/api/keys", self.keys),
            Route("/api/choose", self.chosen),
            Route("/api/rows", self.rows),
            Route("/api/map", self.map),
            Route("/api/values", self.values),
            Route("/api/marks", self.mark, methods=["POST"]),
            Route("/api/undo", self.undo, methods=["POST"]),
            Route("/api/redo", self.redo, methods=["POST"]),
            Route("/api/overlay", self.overlay, methods=["POST"]),
            Route("/api/events", self.events),
            Route(f"/api/sample/{key}", self.sample),
            Route(f"/picture/{key}", self.picture),
            Route(f"/layer/{key}", self.layer),
            Route(f"/vertices/{key}", self.vertices),
            Route(f"/faces/{key}", self.faces),
        ]

    def page(self, request: Request) -> Response:
        """The page itself."""
        return FileResponse(STATIC / "index.html", headers={"Cache-Control": "no-cache"})

    def about(self, request: Request) -> Response:
        """The dataset as a whole, which does not change while the server runs, and how many marks there are."""
        catalogue = self.catalogue
        rules = [
            {"address": rule.address, "score": rule.score, "side": rule.side, "text": rule.text, "reason": rule.reason}
            for rule in RULES if rule.score in catalogue.numbers
        ]  # fmt: skip
        return _json({
            "name": catalogue.folder.resolve().name,
            "samples": len(catalogue),
            "hidden": catalogue.hidden,
            "state": catalogue.state,
            "reviewer": self.reviewer,
            "angles": ANGLES,
            "histograms": self._histograms,
            "spaces": catalogue.similar.spaces,
            "revisions": catalogue.revisions,
            "words": {name: words.counts() for name, words in catalogue.words.items()},
            "rules": rules,
            "thresholds": catalogue.thresholds,
            "reasons": [{"name": r.name, "short": r.short} for r in REASONS],
            "flipped": {"name": FLIPPED.name, "short": FLIPPED.short},
            "seq": self.log.marks.seq,
            "counts": self.log.marks.counts(),
            "tags": self.log.marks.tag_counts(),
        })  # fmt: skip

    def keys(self, request: Request) -> Response:
        """Key of every sample, in order: 8 bytes each."""
        content = bytes.fromhex("".join(self.catalogue.keys))
        return Response(content, media_type="application/octet-stream", headers=_NEVER)

    def chosen(self, request: Request) -> Response:
        """Numbers of the samples that pass a filter, in order: int32, little-endian."""
        choice = _parsed(Choice, request.query_params.get("q", "{}"))
        rows = choose(self.catalogue, self.log.marks, choice)
        return Response(rows.astype("<i4").tobytes(), media_type="application/octet-stream", headers=_NEVER)

    def rows(self, request: Request) -> Response:
        """Content of the grid's cells, by number."""
        try:
            numbers = [int(text) for text in request.query_params.get("n", "").split(",") if text]
        except ValueError:
            raise HTTPException(400, "n is a list of whole numbers") from None
        if len(numbers) > _MOST_ROWS or not all(0 <= number < len(self.catalogue) for number in numbers):
            raise HTTPException(404, f"at most {_MOST_ROWS} numbers of samples")
        records = [self.catalogue.record(number) for number in numbers]
        return _json([record | self._said(record["key"]) for record in records])

    def map(self, request: Request) -> Response:
        """Places of all samples on the map of a space: int16 x, y, little-endian, within ±32767; −32768 if unknown."""
        space = request.query_params.get("space", "")
        if space not in self.catalogue.similar.spaces:
            raise HTTPException(404, "there is no such space")
        places = self.catalogue.similar.map(space)
        found = np.where(np.isfinite(places), np.round(places * _FULL_SCALE), -_FULL_SCALE - 1)
        return Response(found.astype("<i2").tobytes(), media_type="application/octet-stream", headers=_NEVER)

    def values(self, request: Request) -> Response:
        """A number of all samples, of `ANGLES` also in a stated revision: float32, little-endian; NaN if unknown."""
        name, revision = request.query_params.get("name", ""), request.query_params.get("revision", "")
        if name not in (ANGLES if revision else self.catalogue.numbers):
            raise HTTPException(404, "there is no such score, or it is none that revisions are compared by")
        found = self.catalogue.numbers[name]
        if revision:
            found = np.asarray(self.catalogue.at(revision).columns([name])[name].to_numpy(), np.float64)
        return Response(found.astype("<f4").tobytes(), media_type="application/octet-stream", headers=_NEVER)

    def sample(self, request: Request) -> Response:
        """Every scalar label and score of one sample, and the camera for its 3D view."""
        number = self._number(request)
        revision = request.query_params.get("revision", "")
        row = self.catalogue.at(revision)[number].row | ({} if revision else self.catalogue.decided(number))
        fields = [
            {"name": name, "value": value, "text": _description(name)}
            for name, value in row.items() if value is not None and not isinstance(value, list)
        ]  # fmt: skip
        if note := self.catalogue.bodies.note(row):
            fields.append({"name": "body", "value": note, "text": "the body that is drawn"})
        camera = {name: row.get(name) for name in ("cam2world", "intrinsics")}
        return _json({"key": row["key"], "fields": fields, **self._said(row["key"]), **camera})

    def picture(self, request: Request) -> Response:
        """The stored picture, or a smaller one."""
        number, size = self._number(request), _size(request)
        content = self.catalogue.dataset.read(number)
        stored = int(self.catalogue.sides[number])
        return Response(thumbnail(content, stored, size), media_type="image/jpeg", headers=_FOREVER)

    def layer(self, request: Request) -> Response:
        """The body, as a layer for the picture."""
        revision = request.query_params.get("revision", "")
        layer = self._layer(self._number(request), _size(request), revision)
        return Response(layer, media_type="image/webp", headers=_FOREVER)

    def _drawn(self, number: int, size: int, revision: str) -> bytes:
        return body_layer(self.catalogue.at(revision)[number], size, self.catalogue.bodies)

    def vertices(self, request: Request) -> Response:
        """The body's vertices in the world."""
        content = vertices(self.catalogue.dataset[self._number(request)], self.catalogue.bodies)
        return Response(content, media_type="application/octet-stream", headers=_FOREVER)

    def faces(self, request: Request) -> Response:
        """The body's faces."""
        content = faces(self.catalogue.dataset[self._number(request)], self.catalogue.bodies)
        return Response(content, media_type="application/octet-stream", headers=_FOREVER)

    async def mark(self, request: Request) -> Response:
        """Mark samples; the response is sent once the mark is on the disk."""
        marked = _parsed(_Mark, await self._body(request))
        if unknown := [key for key in marked.keys if key not in self.catalogue.rows]:
            raise HTTPException(404, f"the dataset has no sample {unknown[0]!r} with a picture")
        said = marked.reviewer, marked.mark, marked.reason, marked.keys, marked.tag
        return self._published(*await run_in_threadpool(self.log.mark, *said))

    async def undo(self, request: Request) -> Response:
        """Take back the newest mark of a reviewer."""
        reviewer = _parsed(_Undo, await self._body(request)).reviewer
        return self._published(*await run_in_threadpool(self.log.undo, reviewer))

    async def redo(self, request: Request) -> Response:
        """Repeat what a reviewer has taken back last."""
        reviewer = _parsed(_Undo, await self._body(request)).reviewer
        return self._published(*await run_in_threadpool(self.log.redo, reviewer))

    async def _body(self, request: Request) -> bytes:
        """What was sent; of more than can be meant nothing is kept."""
        content, size, most = bytearray(), 0, _HEAD_BYTES + _KEY_BYTES * len(self.catalogue)
        async for chunk in request.stream():  # to its end, or the sender would not read the answer
            size += len(chunk)
            if size <= most:
                content += chunk
        if size > most:
            raise HTTPException(413, f"a request about these samples has at most {most} bytes, and this one had {size}")
        return bytes(content)

    def _published(self, action: Action | None, keys: Iterable[str]) -> Response:
        news = self._news(list(keys))
        if action:
            self.hub.publish(news)
        return _json(news)

    def _news(self, keys: list[str]) -> dict[str, Any]:
        marks = self.log.marks
        changes = {key: self._said(key) for key in keys}
        return {"seq": marks.seq, "changes": changes, "counts": marks.counts(), "tags": marks.tag_counts()}

    def _said(self, key: str) -> dict[str, Any]:
        """Marks and tags of a sample."""
        return {"marks": self._marks(key), "tags": self.log.marks.tags(key)}

    def _marks(self, key: str) -> list[dict[str, str]]:
        return [
            {"reviewer": action.reviewer, "mark": action.mark, "reason": action.stored_reason, "time": action.time}
            for action in self.log.marks.opinions(key)
        ]

    async def overlay(self, request: Request) -> Response:
        """Put the marks into an overlay now."""
        return _json({"name": await run_in_threadpool(fold, self.catalogue.folder, self.log.marks)})

    async def events(self, request: Request) -> Response:
        """Marks of all reviewers as they are made."""
        known = request.headers.get("last-event-id") or request.query_params.get("since", "")
        since = int(known) if known.isdecimal() else self.log.marks.seq
        first = self._news(self.log.marks.touched_since(since))
        return StreamingResponse(self.hub.stream(first), media_type="text/event-stream", headers=_NEVER)

    def _number(self, request: Request) -> int:
        try:
            return self.catalogue.rows[request.path_params["key"]]
        except KeyError:
            raise HTTPException(404, "the dataset has no such sample with a picture") from None


def make_app(review: Review, token: str) -> Starlette:
    """The application.

    Args:
        review: its routes.
        token: gives access to everything that the page can do.
    """
    middleware = [
        Middleware(TrustedHostMiddleware, allowed_hosts=HOSTS, www_redirect=False),
        Middleware(Guard, token=token),
    ]
    return Starlette(routes=review.routes(), middleware=middleware, exception_handlers={PhqError: _refused})


def _refused(request: Request, error: Exception) -> Response:
    status = 400 if isinstance(error, InputError) else 507 if isinstance(error, OutputError) else 500
    return JSONResponse({"error": str(error)}, status, headers=_NEVER)


def _json(content: Any) -> Response:
    return JSONResponse(content, headers=_NEVER)


def _parsed(model: Any, text: str | bytes) -> Any:
    try:
        return model.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise HTTPException(400, f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from None


def _size(request: Request) -> int:
    try:
        asked = int(request.query_params.get("size", SIZES[0]))
    except ValueError:
        asked = 0
    if asked not in SIZES:
        raise HTTPException(404, f"size is one of {', '.join(map(str, SIZES))}")
    return asked


def _description(name: str) -> str:
    field = Row.model_fields.get(name)
    return field.description or "" if field else ""
