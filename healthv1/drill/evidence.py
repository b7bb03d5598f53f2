"""The evidence of one host's drills, judged: each is signed by the pinned key, and names the digest of the one before.

A chain alone shows no cut end, and none that was made anew with the host's key: for that the operator's journal
remembers digests.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

BEGINNING = "0" * 64
PASSED = "passed"


@dataclass(frozen=True)
class DrillEvidence:
    number: int
    text: str
    """As it lies on the host: what was signed."""
    signature: str
    content: Mapping[str, Any]
    faults: tuple[str, ...] = ()
    """Why it is not to be believed."""

    @property
    def digest(self) -> str:
        return digest(self.text)

    @property
    def passed(self) -> bool:
        return self.content.get("result") == PASSED

    def as_json(self) -> dict[str, Any]:
        return {"number": self.number, "digest": self.digest, "faults": list(self.faults), "evidence": self.content}


@dataclass(frozen=True)
class HostEvidence:
    host: str
    drills: tuple[DrillEvidence, ...] = ()
    faults: tuple[str, ...] = ()
    """What is wrong with the whole of it."""

    @property
    def believed(self) -> bool:
        return not self.faults and not any(drill.faults for drill in self.drills)

    @property
    def newest(self) -> DrillEvidence | None:
        return self.drills[-1] if self.drills else None

    def as_json(self, last: int = 0) -> dict[str, Any]:
        drills = self.drills[-last:] if last else self.drills
        return {"verified": self.believed, "faults": list(self.faults), "drills": [each.as_json() for each in drills]}


@dataclass(frozen=True)
class Remembered:
    """What a journal noted of a host's drill."""

    number: int
    digest: str


@dataclass
class Judge:
    """Judges the evidence of one host."""

    pinned: str
    """The public key that is known as the host's; empty: none."""
    verifies: Callable[[str, str], bool]
    """Whether the pinned key signed a text."""
    remembered: Iterable[Remembered] = ()
    _before: DrillEvidence | None = field(default=None, init=False)

    def judge(self, host: str, document: Mapping[str, Any]) -> HostEvidence:
        """Judge what a host handed over: its public key, and its files."""
        self._before = None
        drills = tuple(self._judged(file) for file in document["drills"])
        return HostEvidence(host, drills, (*self._key_faults(str(document["key"])), *self._forgotten(drills)))

    def _key_faults(self, key: str) -> Iterable[str]:
        if not self.pinned:
            yield "no key of this host is pinned: whoever made the signatures is unknown"
        elif key and key.split()[:2] != self.pinned.split()[:2]:
            yield "the host has another key than the one that is pinned"

    def _judged(self, file: Mapping[str, Any]) -> DrillEvidence:
        number, text, signature = int(file["number"]), str(file["text"]), str(file["signature"])
        content = _read(text)
        faults = [*self._chain_faults(number, content)]
        if self.pinned and not self.verifies(text, signature):
            faults.append("the pinned key did not sign it" if signature else "its signature is missing")
        drill = DrillEvidence(number, text, signature, content, tuple(faults))
        self._before = drill
        return drill

    def _chain_faults(self, number: int, content: Mapping[str, Any]) -> Iterable[str]:
        before = self._before
        expected = before.number + 1 if before else 1
        if not content:
            yield "it is no evidence of a drill"
        elif content.get("number") != number:
            yield f"it says that it is drill {content.get('number')}"
        elif number != expected:
            missing = f"drill {expected}" if number == expected + 1 else f"drills {expected} to {number - 1}"
            yield f"{missing} before it {'is' if number == expected + 1 else 'are'} missing"
        elif content.get("previous") != (before.digest if before else BEGINNING):
            yield (
                f"it knows another drill {number - 1} than the one that lies there" if before else "it is not the first"
            )

    def _forgotten(self, drills: tuple[DrillEvidence, ...]) -> Iterable[str]:
        """Yield what a journal remembers otherwise."""
        by_number = {drill.number: drill for drill in drills}
        for noted in sorted(set(self.remembered), key=lambda each: each.number):
            drill = by_number.get(noted.number)
            if drill is None:
                yield f"drill {noted.number} is missing, which your journal remembers"
            elif drill.digest != noted.digest:
                yield f"drill {noted.number} is another one than your journal remembers"


def remembered(lines: Iterable[str], host: str) -> list[Remembered]:
    """Return what the lines of a journal noted of a host's drills."""
    noted_drills = []
    for line in lines:
        noted = _read(line).get("drills")
        if isinstance(noted, Mapping) and isinstance(noted.get(host), Mapping):
            noted_drills.append(Remembered(int(noted[host]["number"]), str(noted[host]["digest"])))
    return noted_drills


def head(evidence: HostEvidence) -> dict[str, Any]:
    """Return what a journal is to remember."""
    newest = evidence.newest
    return {"number": newest.number, "digest": newest.digest} if newest else {}


def digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()


def _read(text: str) -> Mapping[str, Any]:
    try:
        content = json.loads(text)
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}
