"""Every error answer is a problem document (RFC 9457) that repeats nothing of what was sent."""

from collections.abc import Mapping
from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException


class Problem(JSONResponse):
    media_type = "application/problem+json"

    def __init__(self, status: int, headers: Mapping[str, str] | None = None, **members: object) -> None:
        title = HTTPStatus(status).phrase
        super().__init__({"type": "about:blank", "title": title, "status": status, **members}, status, headers)


async def _http(_: Request, error: Exception) -> Problem:
    assert isinstance(error, HTTPException)
    detail = {} if error.detail == HTTPStatus(error.status_code).phrase else {"detail": error.detail}
    return Problem(error.status_code, error.headers, **detail)


async def _invalid(_: Request, error: Exception) -> Problem:
    assert isinstance(error, RequestValidationError)
    return Problem(422, errors=[{"loc": fault["loc"], "msg": fault["msg"]} for fault in error.errors()])


def answer_with_problems(app: FastAPI) -> None:
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _invalid)
