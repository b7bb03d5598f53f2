"""Numbers for Prometheus. Labels hold route templates and fixed words, never what a client sent."""

import platform
from collections.abc import Iterable

from prometheus_client import (
    CollectorRegistry,
    Counter,
    GCCollector,
    Histogram,
    Info,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from healthv1_api import VERSION
from healthv1_api.database.pool import Pool


class PoolGauges(Collector):
    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def collect(self) -> Iterable[Metric]:
        stats = self._pool.get_stats()
        size, idle = stats.get("pool_size", 0), stats.get("pool_available", 0)
        connections = GaugeMetricFamily(
            "healthv1_database_pool_connections",
            "Connections to the pooler; busy are in use or being opened.",
            labels=["state"],
        )
        connections.add_metric(["idle"], idle)
        connections.add_metric(["busy"], size - idle)
        yield connections
        yield _gauge("max", "Most connections the pool may open.", stats.get("pool_max", 0))
        yield _gauge("waiting", "Requests that wait for a connection.", stats.get("requests_waiting", 0))


def _gauge(name: str, text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"healthv1_database_pool_{name}", text, value=value)


class Metrics:
    def __init__(self, pool: Pool) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "healthv1_http_requests", "Requests answered.", ["method", "route", "status"], registry=self.registry
        )
        self.seconds = Histogram(
            "healthv1_http_request_duration_seconds",
            "Time to the end of an answer.",
            ["method", "route"],
            registry=self.registry,
        )
        self._children: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}
        self.faults = Counter(
            "healthv1_faults", "Requests that this side failed, by what was at fault.", ["part"], registry=self.registry
        )
        for part in ("database", "redis", "keys", "timeout", "unhandled"):
            self.faults.labels(part)
        self.logins = Counter("healthv1_logins", "Logins by outcome.", ["outcome"], registry=self.registry)
        for outcome in ("accepted", "refused", "delayed"):
            self.logins.labels(outcome)
        build = Info("healthv1_build", "The release that runs.", registry=self.registry)
        build.info({"version": VERSION, "python": platform.python_version()})
        ProcessCollector(registry=self.registry)
        GCCollector(registry=self.registry)
        self.registry.register(PoolGauges(pool))

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        key = (method, route, status)
        if key not in self._children:
            self._children[key] = self.requests.labels(*key), self.seconds.labels(method, route)
        count, duration = self._children[key]
        count.inc()
        duration.observe(seconds)
