"""The real service with two more routes: one that fails, one that validates. Run by the service's own Python."""

import sys
from typing import Annotated

from fastapi import Query

from healthv1_api import serve
from healthv1_api.__main__ import main

create_app = serve.create_app


def create_faulty_app(*arguments):
    app = create_app(*arguments)

    @app.get("/patients/{name}/explode")
    async def explode(name: str) -> None:
        raise ValueError(f"invalid input: {name}")

    @app.get("/patients/{name}")
    async def typed(name: str, age: Annotated[int, Query(ge=0)]) -> dict[str, int]:
        return {"age": age}

    return app


serve.create_app = create_faulty_app
sys.exit(main())
