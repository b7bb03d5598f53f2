"""A held lock: renewed every quarter of its lease, and released in any case.

A holder that was killed renews nothing: its lock is free when the lease is over, and not before.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

import gevent
from gevent.lock import BoundedSemaphore

from healthv1.errors import Fault, HostError, LockError
from healthv1.lock.acquire import release_all, run_concurrently
from healthv1.lock.holder import LockClaim, describe
from healthv1.lock.place import LockPlace, ask


class Holding:
    def __init__(self, claim: LockClaim, places: Iterable[LockPlace], note: Callable[[str], None]) -> None:
        self.claim = claim
        self._note = note
        # Counted from before the request: our lease ends before the host's.
        self._renewed_at = dict.fromkeys(places, time.monotonic())
        self._lost: Fault | None = None
        self._one_at_a_time = BoundedSemaphore()
        self._renewing = gevent.spawn(self._keep_renewing)

    @property
    def _hint(self) -> str:
        shown = f"healthv1 lock show {self.claim.environment}"
        return f"look who deploys now: {shown}; then run the same command: it goes on from here"

    def check(self) -> None:
        """Raise `LockError` when the lock is not ours any more."""
        if self._silence() > self.claim.lease / 2:  # something kept this process from renewing
            self.renew_all()
        if self._lost is None and self._silence() > self.claim.lease:
            name = max(self._renewed_at, key=self._silence_of).name
            self._lost = Fault(name, f"Its lock could not be renewed for {self._silence():.0f} s.", self._hint)
        if self._lost:
            raise LockError(self._lost)

    def renew_all(self) -> None:
        with self._one_at_a_time:
            run_concurrently(list(self._renewed_at), self._renew)

    def release(self) -> None:
        self._renewing.kill()
        release_all(list(self._renewed_at), self.claim)

    def _keep_renewing(self) -> None:
        while self._lost is None:
            gevent.sleep(self.claim.lease / 4)
            self.renew_all()

    def _renew(self, place: LockPlace) -> None:
        asked_at = time.monotonic()
        try:
            answer = ask(place, "renew", self.claim.token, timeout=max(1, self.claim.lease / 4))
        except HostError as error:
            if not place.needed and self._silence_of(place) > self.claim.lease:
                self._renewed_at.pop(place)
                self._note(f"{place.name} is not locked any more: {error.faults[0].what}")
            return
        if answer.verdict == "renewed":
            self._renewed_at[place] = asked_at
        elif self._lost is None:
            who = f" {describe(answer.held)} has it now." if answer.held else ""
            self._lost = Fault(place.name, f"Somebody released our lock by force.{who}", self._hint)

    def _silence(self) -> float:
        return max((self._silence_of(place) for place in self._renewed_at if place.needed), default=0)

    def _silence_of(self, place: LockPlace) -> float:
        return time.monotonic() - self._renewed_at[place]
