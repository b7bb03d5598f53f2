"""What `healthv1 lock show` and `release` do, without a terminal."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from deploys.facts.lock import LockRecord
from healthv1.errors import Fault, LockError
from healthv1.hosts.scripts import ssh_hosts
from healthv1.hosts.session import opened
from healthv1.lock.acquire import run_concurrently
from healthv1.lock.holder import describe
from healthv1.lock.place import HostPlace, ask
from healthv1.signals import changes_begin

SCHEMA = 1


@dataclass(frozen=True)
class ShownLock:
    environment: str
    hosts: dict[str, LockRecord | None]
    faults: tuple[Fault, ...]

    def as_json(self) -> dict[str, Any]:
        hosts = {name: {"state": state(held), **_public_fields(held)} for name, held in self.hosts.items()}
        faults = [asdict(fault) for fault in self.faults]
        return {"schema": SCHEMA, "environment": self.environment, "hosts": hosts, "faults": faults}


def show(environment: str) -> ShownLock:
    with opened(environment, read_site=False) as session:
        answers = run_concurrently(
            [HostPlace(host) for host in ssh_hosts(session.hosts)], lambda place: ask(place, "show")
        )
        faults = tuple(fault for faults in session.faults.values() for fault in faults)
    return ShownLock(environment, {place.name: answer.held for place, answer in answers.items()}, faults)


def release(environment: str, confirmed: Callable[[LockRecord], bool]) -> ShownLock:
    """Release on every host what is held there; return what it was. `confirmed` is asked unless it has expired."""
    with opened(environment, read_site=False) as session:
        places = [HostPlace(host) for host in ssh_hosts(session.hosts)]
        held_at = {
            place: answer.held for place, answer in run_concurrently(places, lambda place: ask(place, "show")).items()
        }
        for held in {held.token: held for held in held_at.values() if held and not held.expired}.values():
            if not confirmed(held):
                what = f"The lock was not released: {held.holder} holds it."
                raise LockError(Fault(environment, what, f"give that name: healthv1 lock release {environment}"))
        changes_begin()
        # Only the tokens that were read: who took the lock meanwhile keeps it.
        run_concurrently(
            [(place, held.token) for place, held in held_at.items() if held],
            lambda place_and_token: ask(place_and_token[0], "release", place_and_token[1]),
        )
        faults = tuple(fault for faults in session.faults.values() for fault in faults)
    return ShownLock(environment, {place.name: held for place, held in held_at.items()}, faults)


def state(held: LockRecord | None) -> str:
    return "free" if held is None else "expired" if held.expired else "held"


def line(name: str, held: LockRecord | None) -> str:
    if held is None:
        return f"{name}: free"
    left = f"free in {held.lease - held.age} s unless renewed" if not held.expired else "its lease is over: free"
    return f"{name}: held by {describe(held)}; {left}"


def _public_fields(held: LockRecord | None) -> dict[str, Any]:
    if held is None:
        return {}
    return {name: value for name, value in asdict(held).items() if name != "token"}
