"""The maintenance of an edge host's website, as it is noted there."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timezone

from pyinfra.api.facts import FactBase

from deploys.paths import CLOSED

TELL_MAINTENANCE = f"""if [ -e {CLOSED} ]; then echo on=yes; cat {CLOSED}/record 2>/dev/null || true; fi"""
"""Shell that prints the record of the maintenance that is on, and nothing while none is."""


@dataclass(frozen=True)
class MaintenanceRecord:
    """A maintenance that is on. What is unreadable of its record is empty: the website is closed all the same."""

    message: str = ""
    by: str = ""
    """user@machine."""
    since: int = 0
    """Unix time, as is `until`."""
    until: int = 0

    @property
    def ends(self) -> str:
        return (
            f"{datetime.fromtimestamp(self.until, timezone.utc):%Y-%m-%d %H:%M UTC}" if self.until else "no known time"
        )

    @property
    def text(self) -> str:
        """Its lines on a host."""
        return "".join(f"{name}={getattr(self, name)}\n" for name in ("until", "since", "by", "message"))

    @classmethod
    def read(cls, lines: Iterable[str]) -> MaintenanceRecord | None:
        """Parse the host's output; None while none is on."""
        values = dict(line.split("=", 1) for line in lines if "=" in line)
        if "on" not in values:
            return None
        numbers = {name: int(values[name]) for name in ("since", "until") if values.get(name, "").isdecimal()}
        return cls(values.get("message", ""), values.get("by", ""), **numbers)


class Maintenance(FactBase[MaintenanceRecord | None]):
    default = type(None)

    def command(self) -> str:
        return TELL_MAINTENANCE

    def process(self, output: list[str]) -> MaintenanceRecord | None:
        return MaintenanceRecord.read(output)
