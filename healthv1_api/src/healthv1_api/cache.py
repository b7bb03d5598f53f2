"""Redis, connected at the first question and again after it was away."""

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from healthv1_api.settings import ServiceSettings


def connect(settings: ServiceSettings) -> Redis:
    return Redis.from_url(
        settings.redis_url.get_secret_value(),
        socket_connect_timeout=1,
        socket_timeout=1,
        # One retry replaces a pooled connection that Redis's restart has cut.
        retry=Retry(NoBackoff(), 1),
    )
