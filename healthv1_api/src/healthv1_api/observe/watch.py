"""What changes without a request is looked at from time to time: queues, the age of the data key, and Redis."""

import asyncio
import logging
from collections.abc import Iterable
from typing import Any

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from redis.asyncio import Redis

from healthv1_api.database.pool import Pool, asking
from healthv1_api.keys.held import Keys
from healthv1_api.queues.statements import DEPTHS

log = logging.getLogger(__name__)
PAUSE = 15  # seconds


class Watch(Collector):
    def __init__(self, pool: Pool, redis: Redis, keys: Keys) -> None:
        self._pool, self._redis, self._keys = pool, redis, keys
        self._depths: list[tuple[Any, ...]] = []
        self._redis_answers = False

    async def go_on(self) -> None:
        while True:
            await self._look()
            await asyncio.sleep(PAUSE)

    async def _look(self) -> None:
        try:
            self._redis_answers = bool(await self._redis.ping())
        except Exception as error:  # noqa: BLE001  # the metric says it
            self._redis_answers = False
            log.debug("redis is not watched: %s", type(error).__name__)
        try:
            self._depths = await self._depths_now()
            await self._keys.look()
        except Exception as error:  # noqa: BLE001  # old numbers would be a lie: there are none until it is back
            self._depths = []
            log.debug("queues and keys are not watched: %s", type(error).__name__)

    async def _depths_now(self) -> list[tuple[Any, ...]]:
        async with asking(self._pool) as connection:
            return await (await connection.execute(DEPTHS)).fetchall()

    def collect(self) -> Iterable[Metric]:
        depth = GaugeMetricFamily("healthv1_queue_depth", "Work that is not completed.", labels=["queue", "state"])
        for queue, waiting, claimed in self._depths:
            depth.add_metric([queue, "waiting"], waiting)
            depth.add_metric([queue, "claimed"], claimed)
        yield depth
        yield GaugeMetricFamily("healthv1_redis_up", "Whether Redis answers.", value=self._redis_answers)
        ring = self._keys.held
        if ring and ring.current:
            age = ring.current.age.total_seconds()
            yield GaugeMetricFamily("healthv1_data_key_age_seconds", "Age of the key that seals.", value=age)
            yield GaugeMetricFamily("healthv1_data_keys", "Data keys that open something.", value=len(ring.data))
