"""Our Redis: its paths, on new hosts and on old ones that use the packaged unit."""

from __future__ import annotations

from dataclasses import dataclass

from deploys.packaged import REDIS

USERS = "/etc/redis/health-v1.acl"


@dataclass(frozen=True)
class RedisServer:
    name: str = "redis-server@health-v1"
    """The mark `redis`: an instance of the packaged template unit, or "redis-server" on hosts deployed with that."""

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
        """Whether it uses the packaged unit."""
        return self.name == REDIS.name

    @property
    def configuration(self) -> str:
        return f"/etc/{self._path('redis/redis')}.conf"

    @property
    def directory(self) -> str:
        """The data folder: not the package's, which a purge deletes."""
        return f"/var/lib/{self._path('redis')}"

    @property
    def run(self) -> str:
        return f"/run/{self._path('redis')}"

    @property
    def log(self) -> str:
        """The packaged logrotate configuration matches this name."""
        return f"/var/log/redis/{self._path('redis-server')}.log"

    @property
    def program(self) -> tuple[str, ...]:
        """Binaries to restart on: a package upgrade restarts only the packaged unit."""
        return () if self.is_packaged else ("/usr/bin/redis-server", "/usr/bin/redis-check-rdb")

    @property
    def data_paths(self) -> tuple[str, ...]:
        """The append-only files: of Redis 7 and later, and of Redis 6."""
        return f"{self.directory}/appendonlydir", f"{self.directory}/appendonly.aof"

    def _path(self, packaged: str) -> str:
        return packaged if self.is_packaged else f"{packaged}-{self.name.partition('@')[2]}"
