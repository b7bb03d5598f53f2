"""A route for what is asked most. FastAPI describes it, and no longer stands between a request and its answer.

Solving a signature anew for each request costs as much as reading a patient does. Here it is of one form: a GET of an
identifier in the path, by who passes a door.
"""

import re
from collections.abc import Callable
from typing import Any
from uuid import UUID

from fastapi.routing import APIRoute
from starlette.types import Receive, Scope, Send

from healthv1_api.auth.gate import Door

IDENTIFIER = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


class StraightRoute(APIRoute):
    def __init__(self, path: str, endpoint: Callable[..., Any], **described: Any) -> None:
        super().__init__(path, endpoint, **described)
        (door,), (subject,) = self.dependant.dependencies, self.dependant.path_params
        assert isinstance(door.call, Door)
        assert door.name
        self._door, self._caller, self._subject = door.call, door.name, subject.name

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        given = scope["path_params"][self._subject]
        if scope["method"] != "GET" or not IDENTIFIER.fullmatch(given):
            # FastAPI knows the other ways to write an identifier, and how to refuse what is none.
            await super().handle(scope, receive, send)
            return
        caller = await self._door.admit(scope)
        answer = await self.endpoint(**{self._caller: caller, self._subject: UUID(given)})
        await answer(scope, receive, send)
