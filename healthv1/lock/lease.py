"""The lock while it is held: renewed every quarter of its lease, and given back whatever happens.

A holder that was killed renews nothing: its lock is free when the lease is over, and not before.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

import gevent
from gevent.lock import BoundedSemaphore

from healthv1.errors import Fault, HostError, LockError
from healthv1.lock.acquire import at_once, give_back
from healthv1.lock.holder import LockClaim, described
from healthv1.lock.place import LockPlace, ask


class Holding:
    def __init__(self, claim: LockClaim, places: Iterable[LockPlace], note: Callable[[str], None]) -> None:
        self.claim = claim
        self._note = note
        # Counted from before the host was asked: we give up before the host does.
        self._heard = dict.fromkeys(places, time.monotonic())
        self._lost: Fault | None = None
        self._alone = BoundedSemaphore()
        self._pulse = gevent.spawn(self._beat_on)

    @property
    def _hint(self) -> str:
        shown = f"healthv1 lock show {self.claim.environment}"
        return f"look who deploys now: {shown}; then run the same command: it goes on from here"

    def check(self) -> None:
        """Raise `LockError` when the lock is not ours any more."""
        if self._silence() > self.claim.lease / 2:  # something kept this process from renewing
            self.beat()
        if self._lost is None and self._silence() > self.claim.lease:
            name = max(self._heard, key=self._silence_of).name
            self._lost = Fault(name, f"Its lock could not be renewed for {self._silence():.0f} s.", self._hint)
        if self._lost:
            raise LockError(self._lost)

    def beat(self) -> None:
        with self._alone:
            at_once(list(self._heard), self._renew)

    def release(self) -> None:
        self._pulse.kill()
        give_back(list(self._heard), self.claim)

    def _beat_on(self) -> None:
        while self._lost is None:
            gevent.sleep(self.claim.lease / 4)
            self.beat()

    def _renew(self, place: LockPlace) -> None:
        asked = time.monotonic()
        try:
            answer = ask(place, "renew", self.claim.token, timeout=max(1, self.claim.lease / 4))
        except HostError as error:
            if not place.needed and self._silence_of(place) > self.claim.lease:
                self._heard.pop(place)
                self._note(f"{place.name} is not locked any more: {error.faults[0].what}")
            return
        if answer.verdict == "renewed":
            self._heard[place] = asked
        elif self._lost is None:
            who = f" {described(answer.held)} has it now." if answer.held else ""
            self._lost = Fault(place.name, f"Somebody released our lock by force.{who}", self._hint)

    def _silence(self) -> float:
        return max((self._silence_of(place) for place in self._heard if place.needed), default=0)

    def _silence_of(self, place: LockPlace) -> float:
        return time.monotonic() - self._heard[place]
