"""Every error answer is a problem document (RFC 9457) that repeats nothing of what was sent."""

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import psycopg
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from redis.exceptions import RedisError
from starlette.exceptions import HTTPException

from healthv1_api.auth.passwords import BusyError
from healthv1_api.keys.master import WrongKeyError

log = logging.getLogger(__name__)
FAULT = "healthv1.fault"  # in a request's scope: what to count it as
AWAY = {psycopg.OperationalError: "database", RedisError: "redis", WrongKeyError: "keys"}
"""What a request may meet when a part is not there. It is over by itself, or somebody has been told."""


class Fault(BaseModel):
    loc: list[str | int]
    msg: str


class ProblemDocument(BaseModel):
    type: str
    title: str
    status: int
    detail: str | None = None
    errors: list[Fault] | None = None


class Problem(JSONResponse):
    media_type = "application/problem+json"

    def __init__(self, status: int, headers: Mapping[str, str] | None = None, **members: object) -> None:
        title = HTTPStatus(status).phrase
        super().__init__({"type": "about:blank", "title": title, "status": status, **members}, status, headers)


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """What a route's description says of its errors: these, and what every route may answer."""
    content = {Problem.media_type: {"schema": {"$ref": "#/components/schemas/ProblemDocument"}}}
    return {
        status: {"description": HTTPStatus(status).phrase, "content": content}
        for status in sorted({400, 413, 500, 503, *statuses})
    }


async def _http(_: Request, error: Exception) -> Problem:
    assert isinstance(error, HTTPException)
    detail = {} if error.detail == HTTPStatus(error.status_code).phrase else {"detail": error.detail}
    return Problem(error.status_code, error.headers, **detail)


async def _invalid(_: Request, error: Exception) -> Problem:
    assert isinstance(error, RequestValidationError)
    return Problem(422, errors=[{"loc": _place(fault), "msg": fault["msg"]} for fault in error.errors()])


def _place(fault: Mapping[str, Any]) -> tuple[str | int, ...]:
    """The name of an unknown member is the client's own word."""
    place: tuple[str | int, ...] = tuple(fault["loc"])
    return place[:-1] if fault["type"] == "extra_forbidden" else place


async def _away(request: Request, error: Exception) -> Problem:
    part = next(name for kind, name in AWAY.items() if isinstance(error, kind))
    request.scope[FAULT] = part
    log.warning("%s does not serve a request: %s", part, type(error).__name__)
    return Problem(503, {"Retry-After": "5"}, detail=f"The {part} cannot serve this now.")


async def _busy(_: Request, __: Exception) -> Problem:
    return Problem(503, {"Retry-After": "5"}, detail="Too many passwords are compared or set at once.")


def answer_with_problems(app: FastAPI) -> None:
    app.add_exception_handler(BusyError, _busy)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _invalid)
    for kind in AWAY:
        app.add_exception_handler(kind, _away)


def describe_problems(app: FastAPI) -> None:
    """Have the OpenAPI description name problem documents, which routes answer without returning them."""

    def described() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = get_openapi(title=app.title, version=app.version, routes=app.routes)
            schema = ProblemDocument.model_json_schema(ref_template="#/components/schemas/{model}")
            parts = document.setdefault("components", {}).setdefault("schemas", {})
            parts |= {**schema.pop("$defs", {}), "ProblemDocument": schema}
            app.openapi_schema = document
        return app.openapi_schema

    app.openapi = described  # type: ignore[method-assign]  # FastAPI's documented way
