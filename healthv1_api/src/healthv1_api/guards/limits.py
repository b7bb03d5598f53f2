"""No request is larger than 10 MiB, also when it does not say so, and none takes longer than 30 seconds."""

import logging

from fastapi import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from healthv1_api.deadline import Within
from healthv1_api.headers import header
from healthv1_api.problems import FAULT, Problem

log = logging.getLogger(__name__)
LARGEST = 10 * 1024 * 1024  # bytes, as Nginx has it
LONGEST = 30.0  # seconds; Nginx waits for 60
# What is still on its way would be read as the next request.
HANG_UP = {"connection": "close"}


class LateError(Exception):
    pass


class LimitRequests:
    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif _declared(scope) > LARGEST:
            await Problem(413, HANG_UP)(scope, receive, send)
        else:
            await self._within_time(scope, _counted(receive), send)

    async def _within_time(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            with Within(LONGEST, LateError()):
                await self._app(scope, receive, send)
        except LateError:
            await _give_up(scope, receive, send)


async def _give_up(scope: Scope, receive: Receive, send: Send) -> None:
    log.error("a request took longer than %d s and was cancelled", LONGEST)
    scope[FAULT] = "timeout"
    await Problem(503, {**HANG_UP, "retry-after": "5"}, detail="This took too long.")(scope, receive, send)


def _declared(scope: Scope) -> int:
    length = header(scope, b"content-length") or "0"
    return int(length) if length.isdecimal() else 0


def _counted(receive: Receive) -> Receive:
    received = 0

    async def counted() -> Message:
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        if received > LARGEST:
            raise HTTPException(413, headers=HANG_UP)
        return message

    return counted
