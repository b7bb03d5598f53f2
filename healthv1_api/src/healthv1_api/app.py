"""The application: its parts are made here, opened when it starts and closed when it has drained."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi.telemetry import TelemetryConfig
from redis.asyncio import Redis

from healthv1_api import VERSION, cache, health, readiness
from healthv1_api.database.pool import Pool
from healthv1_api.observe.failures import AnswerFailures
from healthv1_api.observe.metrics import Metrics
from healthv1_api.observe.requests import ObserveRequests
from healthv1_api.problems import answer_with_problems
from healthv1_api.settings import ServiceSettings

# FastAPI would send spans and exception messages to wherever OTEL_* variables point.
NO_TELEMETRY: TelemetryConfig = {"tracing": False, "metrics": False, "logs": False, "auto_configure": False}


def create_app(settings: ServiceSettings, pool: Pool, metrics: Metrics) -> FastAPI:
    redis = cache.connect(settings)
    described = settings.environment == "development"
    app = FastAPI(
        title="Health V1",
        version=VERSION,
        lifespan=lambda _: _opened(pool, redis),
        openapi_url="/openapi.json" if described else None,
        redirect_slashes=False,
        telemetry=NO_TELEMETRY,
    )
    app.include_router(health.routes(readiness.parts(pool, redis)))
    answer_with_problems(app)
    app.add_middleware(AnswerFailures)
    app.add_middleware(ObserveRequests, metrics=metrics)
    return app


@asynccontextmanager
async def _opened(pool: Pool, redis: Redis) -> AsyncIterator[None]:
    await pool.open()
    try:
        yield
    finally:
        await pool.close(timeout=3)
        await redis.aclose()
