"""`with locked(session, …)`: nobody else changes the environment meanwhile."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from hashlib import sha256
from typing import TypeVar

import gevent

from deploys.facts.lock import Lock
from deploys.rollout import Rollout
from healthv1.errors import Fault, HostError
from healthv1.hosts.pyinfra_names import Host
from healthv1.hosts.scripts import connect, inactive_hosts, ssh_hosts
from healthv1.hosts.session import Session, opened
from healthv1.lock.acquire import run_concurrently, take
from healthv1.lock.holder import HeldBySomebody, LockClaim, Terms, describe
from healthv1.lock.lease import Holding
from healthv1.lock.place import HostPlace, LockPlace, ask
from healthv1.signals import changes_begin, sigterm_as_interrupt
from healthv1.workspace import provenance

ASK_AGAIN = 1.0  # seconds
SAY_AGAIN = 5.0  # seconds
CONNECT_TIMEOUT = 5.0  # seconds, for a host that takes no part
T = TypeVar("T")
Note = Callable[[str], None]

_held: dict[str, Holding] = {}
"""By environment: the lock that this process holds. A rotation holds it during all of its applies."""


@contextmanager
def locked(session: Session, command: str, terms: Terms, note: Note, *, needed: bool = True) -> Iterator[Holding]:
    """Hold the lock on all hosts of the environment that can be reached. Raises `HeldBySomebody`, or `HostError`.

    The session's run stops before its next operation when the lock is lost.
    + needed: a host of the session that cannot be locked is a fault, instead of being left out.
    """
    environment = session.environment
    with ExitStack() as stack:
        if environment not in _held:
            stack.enter_context(sigterm_as_interrupt())  # SIGTERM gives the lock back as Ctrl-C does
            inactive = inactive_hosts(session)
            stack.callback(_disconnect, inactive)
            places = _places(session, inactive, needed, note)
            changes_begin()
            claim = LockClaim(environment, command, _lease(session), terms.reason or provenance.revision())
            _held[environment] = holding = Holding(claim, _take_lock(places, claim, terms, note), note)
            stack.callback(holding.release)
            stack.callback(_held.pop, environment)
        session.check_lock = _held[environment].check
        session.check_lock()
        yield _held[environment]


@contextmanager
def locked_session(
    environment: str, command: str, terms: Terms, note: Note, *, needed: bool = True
) -> Iterator[Session]:
    """Hold the lock over connections of its own. With `needed`, raise `HostError` when not every host can be locked."""
    with opened(environment, read_site=False) as session:
        if needed:
            session.refuse_faults()
        with locked(session, command, terms, note, needed=needed):
            yield session


def lock_digest(environment: str) -> str:
    """Return the digest of this process's lock token, for the journal; empty when it holds no lock."""
    return token_digest(_held[environment].claim.token) if environment in _held else ""


def token_digest(token: str) -> str:
    return sha256(token.encode()).hexdigest()[:12]


def wait_until_free(session: Session, terms: Terms, note: Note) -> None:
    """Wait until no other deploy runs, so that the plan sees its result. Takes no lock."""

    def attempt() -> None:
        for place, answer in run_concurrently(
            [HostPlace(host) for host in ssh_hosts(session.hosts)], lambda place: ask(place, "show")
        ).items():
            if answer.held and not answer.held.expired:
                raise HeldBySomebody(place.name, answer.held)

    if terms.wait and session.environment not in _held:
        wait(attempt, terms, note)


def note_deploys(session: Session, note: Note) -> None:
    """Note a deploy that runs now. It costs no round trip: the lock is among the facts of the plan."""
    if session.environment in _held:  # it is we
        return
    records = [host.get_fact(Lock) for host in ssh_hosts(session.hosts)]
    for held in {held.token: held for held in records if held and not held.expired}.values():
        note(f"A deploy is under way, and this plan is what it has not done yet: {describe(held)}")


def _places(session: Session, inactive: list[Host], needed: bool, note: Note) -> list[HostPlace]:
    """Return the hosts to lock, in the inventory's order, which is the same for every operator."""
    unreachable = {
        host: fault for host, fault in run_concurrently(ssh_hosts(inactive), _connect_fault).items() if fault
    }
    for fault in unreachable.values():
        note(f"{fault.where} is not locked, and no part of this run: {fault.what}")
    hosts = [host for host in ssh_hosts(session.all_hosts) if host not in unreachable]
    return [HostPlace(host, needed=needed and host not in inactive) for host in hosts]


def _connect_fault(host: Host) -> Fault | None:
    try:
        connect(host, CONNECT_TIMEOUT)
    except HostError as error:
        return error.faults[0]
    return None


def _disconnect(hosts: list[Host]) -> None:
    for host in hosts:
        if host.connected:
            host.disconnect()


def _lease(session: Session) -> int:
    rollouts = (host.data.get("rollout") for host in session.all_hosts)
    return next((rollout for rollout in rollouts if isinstance(rollout, Rollout)), Rollout()).lease


def _take_lock(places: list[HostPlace], claim: LockClaim, terms: Terms, note: Note) -> list[LockPlace]:
    records, left_out = wait(lambda: take(places, claim), terms, note)
    for place, before in records.items():
        if before and before.token != claim.token:
            note(f"{place.name}: the lock had run out; it was held by {describe(before)}")
    for fault in left_out:
        note(f"{fault.where} is not locked, and no part of this run: {fault.what}")
    return list(records)


def wait(attempt: Callable[[], T], terms: Terms, note: Note) -> T:
    """Retry until the lock is free or the time is over; note the holder every few seconds."""
    until, noted_at = time.monotonic() + terms.wait, 0.0
    while True:
        try:
            return attempt()
        except HeldBySomebody as refusal:
            if time.monotonic() >= until:
                raise
            if time.monotonic() - noted_at >= SAY_AGAIN:
                noted_at = time.monotonic()
                note(f"Waiting for {describe(refusal.held)}")
        # Random, so that two waiting operators do not retry at the same moments.
        gevent.sleep(min(ASK_AGAIN * random.uniform(0.5, 1.5), max(0.1, until - time.monotonic())))  # noqa: S311
