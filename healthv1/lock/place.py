"""A place of the lock: it runs one short script as root, atomic by flock and by rename."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import Literal, Protocol

from deploys.facts.lock import LOCK_FUNCTIONS, LockRecord
from deploys.paths import FOLDER
from healthv1.hosts.pyinfra_names import Host
from healthv1.hosts.scripts import run_script

TIMEOUT = 20.0  # seconds
Verb = Literal["show", "take", "renew", "release"]

# A directory can be locked by flock as well as a file, and needs no room on a full disk.
_FLOCK = """umask 077
mkdir -p "$kept" && exec 9<"$kept" && flock -w 10 9 || { echo "$kept cannot be locked" >&2; exit 1; }
"""

_WRITE = """write() {
  { cat && printf 'boot=%s\\nup=%s\\nbeat=%s\\n' "$boot" "$up" "$now"; } >"$kept/lock.new" &&
    mv -f "$kept/lock.new" "$kept/lock" || { rm -f "$kept/lock.new"; exit 1; }
}
said() { echo "verdict=$1"; tell; exit 0; }
read_record
holds=$(field token)
"""

_VERBS: dict[Verb, str] = {
    "show": "said shown",
    # A record without token is no lock. One's own lock is taken again: the first answer may have been lost.
    "take": """if [ -n "$holds" ] && [ "$holds" != "$token" ] && [ "$(age)" -le "$(number lease)" ]; then said held; fi
printf '%s\\nstarted=%s\\n' "$claim" "$now" | write || exit 1
said taken""",
    "renew": """[ "$holds" = "$token" ] || said lost
printf '%s\\n' "$record" | sed '/^\\(boot\\|up\\|beat\\)=/d' | write || exit 1
said renewed""",
    "release": """[ "$holds" = "$token" ] || said lost
rm -f "$kept/lock" || exit 1
said released""",
}


class LockPlace(Protocol):
    @property
    def name(self) -> str: ...

    @property
    def kept(self) -> str:
        """The folder of the record."""

    @property
    def needed(self) -> bool:
        """Whether the lock is worth nothing without this host: those that are going to be changed."""

    def run(self, text: str, timeout: float) -> str:
        """Raise `HostError` when it cannot be done."""


@dataclass(frozen=True)
class HostPlace:
    host: Host
    needed: bool = True
    kept: str = FOLDER

    @property
    def name(self) -> str:
        return str(self.host.name)

    def run(self, text: str, timeout: float) -> str:
        return run_script(self.host, text, timeout)


@dataclass(frozen=True)
class LockAnswer:
    verdict: str
    held: LockRecord | None
    """The record as it was found."""


def ask(place: LockPlace, verb: Verb, token: str = "", claim: str = "", timeout: float = TIMEOUT) -> LockAnswer:
    """Raise `HostError` when the host cannot be asked."""
    lines = place.run(_script(verb, place.kept, token, claim), timeout).splitlines()
    return LockAnswer(lines[0].removeprefix("verdict="), LockRecord.read(lines[1:]))


def _script(verb: Verb, kept: str, token: str = "", claim: str = "") -> str:
    """Return a script for `sh` as root. It prints a verdict, and the record as it was found."""
    given = f"kept={shlex.quote(kept)} token={shlex.quote(token)} claim={shlex.quote(claim)}\n"
    alone = "" if verb == "show" else _FLOCK
    return f"{given}{LOCK_FUNCTIONS}{alone}{_WRITE}{_VERBS[verb]}\n"
