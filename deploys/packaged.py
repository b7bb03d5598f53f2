"""A service as a package of the distribution brings it. Ours has a unit of its own; this one is the owner's, or off."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from deploys.marks import mark
from deploys.paths import MARKS

# $1 package, $2 unit, $3 configuration, $4 log, $5 mark. Without a mark: somebody may have installed it where services
# are not started, as we do; whatever ran has left a log. "ours": it came with us, and would start with the host until
# it is turned off. "off": since then whoever runs it, or writes what it is to do, is its owner.
_FOREIGN_FUNCTION = r"""foreign() ( mark=$(cat -- "$5" 2>/dev/null || true)
[ "$mark" != ours ] || exit 1
case $(dpkg-query -W -f '${db:Status-Abbrev}' -- "$1" 2>/dev/null) in ''|?[nc]*) exit 1;; esac
! systemctl is-active --quiet -- "$2" || exit 0
[ "$mark" = off ] || [ ! -e "$4" ] || exit 0
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
    def is_foreign(self) -> str:
        """A test that succeeds where it is somebody's: who had it before us, or took it when it had come with us."""
        arguments = (self.name, self.unit, self.configuration, self.log, f"{MARKS}/{self.mark}")
        return f"{{ {_FOREIGN_FUNCTION}\nforeign {shlex.join(arguments)}; }}"

    @property
    def is_off(self) -> str:
        """A test that succeeds where it neither runs nor starts with the host, or that is the owner's affair."""
        return f"{self.is_foreign} || ! {{ {self._is_started}; }}"

    @property
    def turn_off(self) -> str:
        """Shell after which it is off, unless it is somebody's, and whoever starts it is its owner."""
        return f"{self.is_foreign} || {{ systemctl disable --now {self.unit} && {mark(self.mark, 'off')}; }}"

    def mark_as_ours(self, name: str, unit: str) -> str:
        """Return shell that marks `unit` as ours by `name`, and the package where nobody has it."""
        is_off = f"systemctl cat {self.unit} >/dev/null 2>&1 && ! {{ {self._is_started}; }}"
        mark_package = f"if {is_off}; then {mark(self.mark, 'off')}; else {mark(self.mark, 'ours')}; fi"
        return f"{self.is_foreign} || {mark_package}\n{mark(name, unit)}"

    @property
    def _is_started(self) -> str:
        return f"systemctl is-enabled --quiet {self.unit} || systemctl is-active --quiet {self.unit}"


REDIS = Packaged("redis-server", "/etc/redis/redis.conf", "/var/log/redis/redis-server.log")
PGBOUNCER = Packaged("pgbouncer", "/etc/pgbouncer/pgbouncer.ini", "/var/log/postgresql/pgbouncer.log")
