"""The Redis that is ours: where its parts are, on new hosts and where it took the distribution's place."""

from __future__ import annotations

from dataclasses import dataclass

from deploys.packaged import REDIS

USERS = "/etc/redis/health-v1.acl"


@dataclass(frozen=True)
class RedisServer:
    name: str = "redis-server@health-v1"
    """The mark `redis`: an instance of the packaged template, or "redis-server" on hosts that were deployed with it."""

    @classmethod
    def from_marks(cls, marks: dict[str, str]) -> RedisServer:
        return cls(marks["redis"]) if "redis" in marks else cls()

    @property
    def unit(self) -> str:
        return f"{self.name}.service"

    @property
    def drop_in(self) -> str:
        return f"/etc/systemd/system/{self.unit}.d"

    @property
    def is_packaged(self) -> bool:
        """Whether it took the place of the distribution's."""
        return self.name == REDIS.name

    @property
    def configuration(self) -> str:
        return f"/etc/{self._path('redis/redis')}.conf"

    @property
    def directory(self) -> str:
        """Where the log of its keys is: beside the package's folder, which goes when that is purged."""
        return f"/var/lib/{self._path('redis')}"

    @property
    def run(self) -> str:
        return f"/run/{self._path('redis')}"

    @property
    def log(self) -> str:
        """The packaged logrotate knows this name."""
        return f"/var/log/redis/{self._path('redis-server')}.log"

    @property
    def program(self) -> tuple[str, ...]:
        """What it has to take up when the package is renewed, which restarts the distribution's unit alone."""
        return () if self.is_packaged else ("/usr/bin/redis-server", "/usr/bin/redis-check-rdb")

    @property
    def data_paths(self) -> tuple[str, ...]:
        """Where what it holds lies on disk: since Redis 7, and up to 6."""
        return f"{self.directory}/appendonlydir", f"{self.directory}/appendonly.aof"

    def _path(self, packaged: str) -> str:
        return packaged if self.is_packaged else f"{packaged}-{self.name.partition('@')[2]}"
