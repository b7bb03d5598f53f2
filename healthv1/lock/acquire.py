"""Takes the lock on all hosts or on none, also when others try at the same moment.

Everybody takes the first host of the inventory first, and the others only then. So one of two operators is refused
there, and there is no deadlock. An operator who does not get all locks releases those taken.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import TypeVar

import gevent

from deploys.facts.lock import LockRecord
from healthv1.errors import Fault, HostError
from healthv1.lock.holder import HeldBySomebody, LockClaim
from healthv1.lock.place import LockAnswer, LockPlace, ask

Outcome = LockAnswer | HostError
P = TypeVar("P")
R = TypeVar("R")


def take(places: Sequence[LockPlace], claim: LockClaim) -> tuple[dict[LockPlace, LockRecord | None], tuple[Fault, ...]]:
    """Return the locked places with the expired record that was found, if any, and the faults of places left out.

    Raises `HeldBySomebody`; `HostError` when a host that is needed cannot be locked.
    """
    outcomes: dict[LockPlace, Outcome] = {}
    rest = list(places)
    try:
        while rest and not any(isinstance(outcome, LockAnswer) for outcome in outcomes.values()):
            first = rest.pop(0)
            outcomes[first] = _take(first, claim)
            _refuse(outcomes)
        outcomes |= run_concurrently(rest, lambda place: _take(place, claim))
        _refuse(outcomes)
    except BaseException:
        # A lost answer may have been a yes. The token protects the locks of others.
        release_all([*outcomes, *rest], claim)
        raise
    records = {place: outcome.held for place, outcome in outcomes.items() if isinstance(outcome, LockAnswer)}
    return records, tuple(
        fault for outcome in outcomes.values() if isinstance(outcome, HostError) for fault in outcome.faults
    )


def release_all(places: Sequence[LockPlace], claim: LockClaim) -> None:
    """Release our locks. The lock on a host that cannot be reached ends with its lease."""

    def release(place: LockPlace) -> None:
        with suppress(HostError):
            ask(place, "release", claim.token)

    run_concurrently(places, release)


def run_concurrently(places: Iterable[P], work: Callable[[P], R]) -> dict[P, R]:
    greenlets = {place: gevent.spawn(work, place) for place in places}
    gevent.joinall(greenlets.values(), raise_error=True)
    return {place: greenlet.value for place, greenlet in greenlets.items()}


def _take(place: LockPlace, claim: LockClaim) -> Outcome:
    try:
        return ask(place, "take", claim.token, claim.text)
    except HostError as error:
        return error


def _refuse(outcomes: dict[LockPlace, Outcome]) -> None:
    for place, outcome in outcomes.items():
        if isinstance(outcome, LockAnswer) and outcome.verdict == "held":
            assert outcome.held is not None
            raise HeldBySomebody(place.name, outcome.held)
    faults = [
        fault
        for place, outcome in outcomes.items()
        if place.needed and isinstance(outcome, HostError)
        for fault in outcome.faults
    ]
    if faults:
        raise HostError(*faults)
