"""The first apply that sees the key with which a host signs its drills pins it."""

from __future__ import annotations

from collections.abc import Callable

from healthv1.drill import program
from healthv1.drill.signatures import Pins
from healthv1.errors import Refused
from healthv1.hosts.scripts import ssh_hosts
from healthv1.hosts.session import Session


def pin_keys(session: Session, note: Callable[[str], None]) -> None:
    """Pin the keys that are not pinned yet. What cannot be is noted, and no fault: the hosts are deployed."""
    for host in ssh_hosts(session.hosts):
        pins = Pins(session.environment, host.name, str(host.data.get("ssh_known_hosts_file") or ""))
        if not program.can_drill(host) or pins.key:
            continue
        try:
            key = str(program.ask(session, host, "drill", "key")["key"])
            if key and pins.pin(key):
                note(f"{host.name}: the key that signs its drills is pinned in {pins.file}")
        except Refused as error:
            note(f"{host.name}: the key that signs its drills is not pinned: {error.faults[0].what}")
