"""Pages of the configured origins may ask, and no others; no answer is kept by a cache, nor mixed up by one."""

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from healthv1_api.problems import Problem

PREFLIGHT = {
    "access-control-allow-methods": "GET, POST, PATCH",
    "access-control-allow-headers": "authorization, content-type, if-match, x-request-id",
    "access-control-max-age": "600",
}
EXPOSED = "etag, location, retry-after, x-request-id"


class AnswerBrowsers:
    def __init__(self, app: ASGIApp, origins: tuple[str, ...]) -> None:
        self._app, self._origins = app, frozenset(origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        origin = headers.get("origin")
        allowed = origin if origin in self._origins else None

        async def marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                _mark(MutableHeaders(scope=message), allowed)
            await send(message)

        if origin and scope["method"] == "OPTIONS" and "access-control-request-method" in headers:
            answer = Response(status_code=204, headers=PREFLIGHT) if allowed else Problem(403)
            await answer(scope, receive, marked)
        else:
            await self._app(scope, receive, marked)


def _mark(headers: MutableHeaders, allowed: str | None) -> None:
    headers["cache-control"] = "no-store"
    headers["x-content-type-options"] = "nosniff"
    headers.add_vary_header("Origin")
    if allowed:
        headers["access-control-allow-origin"] = allowed
        headers["access-control-expose-headers"] = EXPOSED
