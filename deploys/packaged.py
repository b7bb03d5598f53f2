"""A service as its package installs it. Ours has its own unit; the packaged one is the owner's, or off."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from deploys.marks import mark
from deploys.paths import MARKS

# $1 package, $2 unit, $3 configuration, $4 log, $5 mark. No mark: it may have been installed without being started, as
# we do; a log shows that it ran. "ours": we installed the package; its unit is enabled until turned off. "off": we
# turned it off; if it runs, or its configuration changed since, it belongs to the owner.
_FOREIGN_FUNCTION = r"""foreign() ( mark=$(cat -- "$5" 2>/dev/null || true)
[ "$mark" != ours ] || exit 1
case $(dpkg-query -W -f '${db:Status-Abbrev}' -- "$1" 2>/dev/null) in ''|?[nc]*) exit 1;; esac
! systemctl is-active --quiet -- "$2" || exit 0
[ "$mark" = off ] || [ ! -e "$4" ] || exit 0
! dpkg-query -W -f '${Conffiles}\n' -- "$1" | grep -qxF -- " $3 $(md5sum < "$3" | cut -c1-32)" )"""


@dataclass(frozen=True)
class Packaged:
    name: str
    """The name of the package and its unit."""
    configuration: str
    log: str
    """The log path of the packaged configuration."""

    @property
    def unit(self) -> str:
        return f"{self.name}.service"

    @property
    def mark(self) -> str:
        """The mark of a package that we installed."""
        return f"package-{self.name}"

    @property
    def is_foreign(self) -> str:
        """A test that succeeds if the service is the owner's: he had it before us, or uses it since we installed it."""
        arguments = (self.name, self.unit, self.configuration, self.log, f"{MARKS}/{self.mark}")
        return f"{{ {_FOREIGN_FUNCTION}\nforeign {shlex.join(arguments)}; }}"

    @property
    def is_off(self) -> str:
        """A test that succeeds if the unit is inactive and disabled, or the owner's."""
        return f"{self.is_foreign} || ! {{ {self._is_started}; }}"

    @property
    def turn_off(self) -> str:
        """Shell that disables the unit unless it is the owner's. From then on a running one counts as his."""
        return f"{self.is_foreign} || {{ systemctl disable --now {self.unit} && {mark(self.mark, 'off')}; }}"

    def mark_as_ours(self, name: str, unit: str) -> str:
        """Return shell that sets the mark `name` to `unit`, and the package's unless the service is the owner's."""
        is_off = f"systemctl cat {self.unit} >/dev/null 2>&1 && ! {{ {self._is_started}; }}"
        mark_package = f"if {is_off}; then {mark(self.mark, 'off')}; else {mark(self.mark, 'ours')}; fi"
        return f"{self.is_foreign} || {mark_package}\n{mark(name, unit)}"

    @property
    def _is_started(self) -> str:
        return f"systemctl is-enabled --quiet {self.unit} || systemctl is-active --quiet {self.unit}"


REDIS = Packaged("redis-server", "/etc/redis/redis.conf", "/var/log/redis/redis-server.log")
PGBOUNCER = Packaged("pgbouncer", "/etc/pgbouncer/pgbouncer.ini", "/var/log/postgresql/pgbouncer.log")
