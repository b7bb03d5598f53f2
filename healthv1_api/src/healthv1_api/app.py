"""The application: its parts are made here, opened when it starts and closed when it has drained."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta

from fastapi import APIRouter, FastAPI
from fastapi.telemetry import TelemetryConfig
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from healthv1_api import VERSION, features, health
from healthv1_api.audit.routes import routes as audit_routes
from healthv1_api.auth import policy
from healthv1_api.auth.changing import routes as password_routes
from healthv1_api.auth.families import Families
from healthv1_api.auth.gate import Gate
from healthv1_api.auth.guesses import Guesses
from healthv1_api.auth.logins import PasswordLogins
from healthv1_api.auth.passwords import Passwords
from healthv1_api.auth.resetting import routes as reset_routes
from healthv1_api.auth.routes import routes as auth_routes
from healthv1_api.auth.sessions import Sessions
from healthv1_api.auth.tokens import AccessTokens
from healthv1_api.database.pool import Pool
from healthv1_api.draining import Draining, LetConnectionsGo
from healthv1_api.guards.limits import LimitRequests
from healthv1_api.guards.origins import AnswerBrowsers
from healthv1_api.keys.held import Keys
from healthv1_api.keys.master import MasterKeys
from healthv1_api.observe.failures import AnswerFailures
from healthv1_api.observe.metrics import Metrics
from healthv1_api.observe.requests import ObserveRequests
from healthv1_api.observe.watch import Watch
from healthv1_api.patients.routes import routes as patient_routes
from healthv1_api.problems import answer_with_problems, describe_problems
from healthv1_api.queues.routes import routes as queue_routes
from healthv1_api.settings import ServiceSettings
from healthv1_api.users.routes import routes as user_routes

# FastAPI would send spans and exception messages to wherever OTEL_* variables point.
NO_TELEMETRY: TelemetryConfig = {"tracing": False, "metrics": False, "logs": False, "auto_configure": False}


def create_app(settings: ServiceSettings, pool: Pool, metrics: Metrics, draining: Draining) -> FastAPI:
    redis = _redis(settings)
    masters = MasterKeys(settings.master_key, settings.master_key_also_accepted)
    keys = Keys(pool, masters, timedelta(settings.dek_rotation_days))
    watch = Watch(pool, redis, keys)
    metrics.registry.register(watch)
    app = FastAPI(
        title="Health V1",
        version=VERSION,
        lifespan=lambda _: _opened(pool, redis, watch),
        openapi_url="/openapi.json" if settings.environment == "development" else None,
        redirect_slashes=False,
        telemetry=NO_TELEMETRY,
    )
    for router in _of_version_1(settings, pool, redis, keys, metrics):
        # Their paths are whole. Included, each router would be asked about each request, and then its routes.
        app.router.routes.extend(router.routes)
    app.include_router(health.routes(health.parts(pool, redis, keys), draining))
    answer_with_problems(app)
    describe_problems(app)
    # The last one added is the first that a request meets.
    app.add_middleware(AnswerFailures)
    app.add_middleware(LimitRequests)
    app.add_middleware(AnswerBrowsers, origins=settings.cors_allowed_origins)
    app.add_middleware(LetConnectionsGo, draining=draining)
    app.add_middleware(ObserveRequests, metrics=metrics)
    return app


def _redis(settings: ServiceSettings) -> Redis:
    """Return Redis, connected at the first question and again after it was away."""
    return Redis.from_url(
        settings.redis_url.get_secret_value(),
        socket_connect_timeout=1,
        socket_timeout=1,
        # One retry replaces a pooled connection that Redis's restart has cut.
        retry=Retry(NoBackoff(), 1),
    )


def _of_version_1(
    settings: ServiceSettings, pool: Pool, redis: Redis, keys: Keys, metrics: Metrics
) -> tuple[APIRouter, ...]:
    tokens = AccessTokens(settings.jwt_secret, settings.jwt_expiration_hours * 3600, settings.jwt_secret_also_accepted)
    idle = settings.session_timeout_minutes * 60
    sessions = Sessions(redis, settings.session_secret, idle, settings.session_secret_also_accepted)
    families = Families(pool, sessions, settings.refresh_token_expiration_days)
    gate, passwords, guesses = Gate(tokens, sessions), Passwords(), Guesses(redis, settings)
    policy.common()  # read now: a request would keep all others waiting for it
    return (
        # What is asked most is looked for first.
        patient_routes(pool, gate, keys),
        auth_routes(gate, PasswordLogins(pool, passwords, guesses, metrics.logins), tokens, sessions, families),
        password_routes(pool, gate, passwords, families, guesses),
        reset_routes(pool, passwords, families, guesses),
        user_routes(pool, gate, passwords, families),
        queue_routes(pool, gate, keys),
        audit_routes(pool, gate),
        features.routes(settings, gate),
    )


@asynccontextmanager
async def _opened(pool: Pool, redis: Redis, watch: Watch) -> AsyncIterator[None]:
    await pool.open()
    watching = asyncio.create_task(watch.go_on())
    try:
        yield
    finally:
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching
        await pool.close(timeout=3)
        await redis.aclose()
