"""The deploy lock of a host. Its age is measured by the host's clock: operators' clocks differ."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pyinfra.api.facts import FactBase

from deploys.paths import FOLDER

# Shell functions: `read_record`, `field`, and `tell`, which prints the record and its age. Within one boot the age
# comes from the uptime, which nobody sets; after a reboot from the wall clock. An unreadable number counts as 0:
# expired.
LOCK_FUNCTIONS = """set -u
now=$(date +%s)
boot=$(cat /proc/sys/kernel/random/boot_id)
up=$(cut -d. -f1 /proc/uptime)
read_record() { record=$(cat "$kept/lock" 2>/dev/null); }
field() { printf '%s\\n' "$record" | sed -n "s/^$1=//p"; }
number() { value=$(field "$1"); case $value in ''|*[!0-9]*) value=0;; esac; echo "$value"; }
age() {
  if [ "$(field boot)" = "$boot" ]; then since=$((up - $(number up))); else since=$((now - $(number beat))); fi
  [ "$since" -ge 0 ] && echo "$since" || echo 0
}
tell() {
  [ -z "$record" ] || printf '%s\\nage=%s\\nheld=%s\\n' "$record" "$(age)" "$((now - $(number started)))"
}
"""


@dataclass(frozen=True)
class LockRecord:
    """The record of a held lock."""

    holder: str
    """user@machine."""
    command: str
    reason: str
    environment: str
    token: str
    """Random: identifies the holder."""
    lease: int
    """Seconds."""
    age: int
    """Seconds since the holder last renewed it."""
    held: int
    """Seconds since it was taken."""

    @property
    def expired(self) -> bool:
        return self.age > self.lease

    @classmethod
    def read(cls, lines: Iterable[str]) -> LockRecord | None:
        """Parse the host's output; None without a readable record."""
        values = dict(line.split("=", 1) for line in lines if "=" in line)
        try:
            texts = {name: values[name] for name in ("holder", "command", "reason", "environment", "token")}
            return cls(**texts, lease=int(values["lease"]), age=int(values["age"]), held=int(values["held"]))
        except (KeyError, ValueError):
            return None


class Lock(FactBase[LockRecord | None]):
    default = type(None)

    def command(self) -> str:
        return f"kept={FOLDER}; [ -s $kept/lock ] || exit 0\n{LOCK_FUNCTIONS}read_record; tell"

    def process(self, output: list[str]) -> LockRecord | None:
        return LockRecord.read(output)
