"""The real service with routes that fail, and, when LEAK says so, without one of its redactions.

Run by the service's own Python.
"""

import logging
import os
import sys
from typing import Annotated

from fastapi import Query

from healthv1_api import problems, serve
from healthv1_api.__main__ import main
from healthv1_api.guards import limits
from healthv1_api.observe import logs, reports, requests
from healthv1_api.patients.documents import NewPatient

create_app = serve.create_app
limits.LONGEST = float(os.environ.get("LONGEST", limits.LONGEST))


def create_faulty_app(settings, pool, *arguments):
    app = create_app(settings, pool, *arguments)

    @app.get("/patients/{name}/explode")
    async def explode(name: str) -> None:
        raise ValueError(f"invalid input: {name}")

    @app.post("/patients/explode")
    async def explode_with(patient: NewPatient) -> None:
        raise ValueError(f"invalid input: {patient.notes}")

    @app.get("/patients/{name}")
    async def typed(name: str, age: Annotated[int, Query(ge=0)]) -> dict[str, int]:
        return {"age": age}

    @app.get("/slow")
    async def slow() -> None:
        async with pool.connection() as connection:
            await connection.execute("SELECT pg_sleep(60)")

    return app


def without_one_redaction(leak):
    if leak == "exceptions in logs":
        logs.JsonLines.format = logging.Formatter().format
    if leak == "routes":
        requests.route_template = lambda scope: scope["path"]
    if leak == "validation errors":
        problems._place = lambda fault: fault["input"]
    if leak == "error reports":
        reports.only_types_and_places = lambda event, _: event


without_one_redaction(os.environ.get("LEAK"))
serve.create_app = create_faulty_app
sys.exit(main())
