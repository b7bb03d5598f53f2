"""Every request has an identifier, one log line and its metrics; its path, query and body are in neither."""

import logging
import os
import re
import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from healthv1_api.headers import header
from healthv1_api.observe.logs import request_id, tell
from healthv1_api.observe.metrics import Metrics
from healthv1_api.problems import FAULT

log = logging.getLogger(__name__)
# A UUID, with or without its hyphens, as Nginx has it: into what is freer, a client could write who a patient is.
IDENTIFIER = re.compile(r"[0-9a-fA-F]{32}|[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
CLIENT_LEFT = 499  # nginx's word for a client that went before the answer


def route_template(scope: Scope) -> str:
    return str(getattr(scope.get("route"), "path", "unmatched"))


class ObserveRequests:
    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        identifier, status = _identifier(scope), CLIENT_LEFT
        before, token = time.perf_counter(), request_id.set(identifier)

        async def identified(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (b"x-request-id", identifier.encode())]
            await send(message)

        try:
            await self._app(scope, receive, identified)
        finally:
            self._record(scope, status, time.perf_counter() - before)
            request_id.reset(token)

    def _record(self, scope: Scope, status: int, seconds: float) -> None:
        method = scope["method"] if scope["method"] in METHODS else "other"
        route = route_template(scope)
        self._metrics.answered(method, route, status, seconds)
        fault = scope.get(FAULT)
        if fault is not None:
            self._metrics.faults.labels(fault).inc()
        duration = round(seconds * 1000, 2)
        tell(log, "request", {"method": method, "route": route, "status": status, "duration_ms": duration})


def _identifier(scope: Scope) -> str:
    offered = header(scope, b"x-request-id")
    return offered if offered and IDENTIFIER.fullmatch(offered) else os.urandom(16).hex()
