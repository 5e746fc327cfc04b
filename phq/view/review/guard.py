"""Access to the server: only with the token, from this machine and from the page itself."""

from __future__ import annotations

import hashlib
import secrets
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HOSTS = ["127.0.0.1", "localhost"]
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}


def cookie_name(token: str) -> str:
    """Two servers on one machine share cookies, whatever their ports: so each has a name of its own."""
    return "phq-review-" + hashlib.sha256(token.encode()).hexdigest()[:12]


class Guard:
    """Lets requests with the token pass, and gives every answer the headers that keep hostile content inert.

    The token comes as ``Authorization: Bearer``, in a cookie, or once in the link's ``?token=``, which sets the cookie.
    A request that changes something must come from the page itself (`Origin`).
    """

    def __init__(self, app: ASGIApp, token: str) -> None:
        self.app = app
        self._token = token.encode()
        self._cookie = cookie_name(token)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers[name] = value
            await send(message)

        await self._answer(scope)(scope, receive, send_guarded)

    def _answer(self, scope: Scope) -> ASGIApp:
        headers = Headers(scope=scope)
        query = parse_qs(scope["query_string"].decode("latin-1"))
        if scope["path"] == "/" and "token" in query and self._is_token(query["token"][0]):
            response = RedirectResponse("/", 303)
            response.set_cookie(self._cookie, self._token.decode(), httponly=True, samesite="lax")
            return response
        if not self._is_token(_offered(headers, self._cookie)):
            return PlainTextResponse("Wrong or missing token: open the link that phq review printed.\n", 403)
        origin = headers.get("origin")
        if scope["method"] != "GET" and origin not in (None, f"{scope['scheme']}://{headers.get('host', '')}"):
            return PlainTextResponse("This request does not come from the review page.\n", 403)
        return self.app

    def _is_token(self, offered: str) -> bool:
        return secrets.compare_digest(offered.encode(), self._token)


def _offered(headers: Headers, cookie: str) -> str:
    scheme, _, token = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return token
    cookies: SimpleCookie = SimpleCookie()
    try:
        cookies.load(headers.get("cookie", ""))
    except CookieError:
        return ""
    return cookies[cookie].value if cookie in cookies else ""
