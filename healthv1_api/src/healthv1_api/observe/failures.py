"""An exception that nobody handled is logged once, by type and place, and answered with a problem document."""

import logging

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from healthv1_api.problems import Problem

log = logging.getLogger(__name__)


class AnswerFailures:
    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answered = False

        async def watched(message: Message) -> None:
            nonlocal answered
            answered = True
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except Exception:
            log.exception("unhandled exception")
            if answered or scope["type"] != "http":
                raise
            await Problem(500)(scope, receive, send)
