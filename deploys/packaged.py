"""A service as a package of the distribution brings it. Ours has a unit of its own; this one is the owner's, or off."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from deploys.marks import OURS, mark

# Somebody may have installed it where services are not started, as we do. Whatever ran has left a log.
_FOREIGN = r"""foreign() ( [ ! -e "$5" ] || exit 1
case $(dpkg-query -W -f '${db:Status-Abbrev}' -- "$1" 2>/dev/null) in ''|?[nc]*) exit 1;; esac
! systemctl is-active --quiet -- "$2" && [ ! -e "$4" ] || exit 0
! dpkg-query -W -f '${Conffiles}\n' -- "$1" | grep -qxF -- " $3 $(md5sum < "$3" | cut -c1-32)" )"""


@dataclass(frozen=True)
class Packaged:
    name: str
    """What it and its unit are called."""
    configuration: str
    log: str
    """Where it writes with the configuration that the package brings."""

    @property
    def unit(self) -> str:
        return f"{self.name}.service"

    @property
    def mark(self) -> str:
        """The mark that says that the package came with us."""
        return f"package-{self.name}"

    @property
    def foreign(self) -> str:
        """A test that succeeds where somebody had it before us: installed, and once run or configured."""
        about = (self.name, self.unit, self.configuration, self.log, f"{OURS}/{self.mark}")
        return f"{{ {_FOREIGN}\nforeign {shlex.join(about)}; }}"

    @property
    def off(self) -> str:
        """A test that succeeds where it neither runs nor starts with the host, or that is the owner's affair."""
        started = f"systemctl is-enabled --quiet {self.unit} || systemctl is-active --quiet {self.unit}"
        return f"{self.foreign} || ! {{ {started}; }}"

    def claim(self, name: str, unit: str) -> str:
        """Return shell that marks `unit` as ours by `name`, and the package where nobody has it."""
        return f"{self.foreign} || {mark(self.mark, 'ours')}\n{mark(name, unit)}"


REDIS = Packaged("redis-server", "/etc/redis/redis.conf", "/var/log/redis/redis-server.log")
PGBOUNCER = Packaged("pgbouncer", "/etc/pgbouncer/pgbouncer.ini", "/var/log/postgresql/pgbouncer.log")
