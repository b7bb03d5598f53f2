"""An exception that nobody handled is logged once, by type and place, and answered with a problem document."""

import logging

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from healthv1_api.observe.reports import report
from healthv1_api.observe.requests import route_template
from healthv1_api.problems import FAULT, Problem

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
        except Exception as error:
            log.exception("unhandled exception")
            report(error, route_template(scope))
            if answered or scope["type"] != "http":
                raise
            scope[FAULT] = "unhandled"
            await Problem(500)(scope, receive, send)
