"""`/health` says the process lives and touches nothing; `/health/ready` says what, if anything, it waits for."""

from collections.abc import Sequence

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from healthv1_api.draining import Draining
from healthv1_api.readiness import Part, failing


def routes(parts: Sequence[Part], draining: Draining) -> APIRouter:
    router = APIRouter(prefix="/health", tags=["health"])

    @router.get("")
    async def alive() -> dict[str, str]:
        return {"status": "ok"}

    @router.get("/ready")
    async def ready() -> JSONResponse:
        if draining.began:
            return JSONResponse({"status": "draining", "failing": []}, status_code=503)
        names = await failing(parts)
        if names:
            return JSONResponse({"status": "unavailable", "failing": names}, status_code=503)
        return JSONResponse({"status": "ready"})

    return router
