"""Pages of the configured origins may ask, and no others; no answer is kept by a cache, nor mixed up by one."""

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from healthv1_api.headers import header
from healthv1_api.problems import Problem

PREFLIGHT = {
    "access-control-allow-methods": "GET, POST, PATCH",
    "access-control-allow-headers": "authorization, content-type, if-match, x-request-id",
    "access-control-max-age": "600",
}
EXPOSED = (b"access-control-expose-headers", b"etag, location, retry-after, x-request-id")
ALWAYS = [(b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff"), (b"vary", b"Origin")]


class AnswerBrowsers:
    def __init__(self, app: ASGIApp, origins: tuple[str, ...]) -> None:
        self._app, self._origins = app, frozenset(origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        origin = header(scope, b"origin")
        allowed = origin if origin in self._origins else None

        async def marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *_marks(allowed)]
            await send(message)

        if origin and scope["method"] == "OPTIONS" and header(scope, b"access-control-request-method") is not None:
            answer = Response(status_code=204, headers=PREFLIGHT) if allowed else Problem(403)
            await answer(scope, receive, marked)
        else:
            await self._app(scope, receive, marked)


def _marks(allowed: str | None) -> list[tuple[bytes, bytes]]:
    if allowed is None:
        return ALWAYS
    return [*ALWAYS, (b"access-control-allow-origin", allowed.encode()), EXPOSED]
