"""The base of all backends: a name is read once, missing secrets are generated, and nothing is overwritten."""

from __future__ import annotations

import base64
import secrets as randomness
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import RLock
from typing import Generic, TypeVar

from typing_extensions import Self

from deploys.secret import Secret, Version
from healthv1.errors import Fault, SecretsError
from healthv1.output.redaction import redactor
from healthv1.secrets.entry import Entry
from healthv1.signals import changes_begin

Revision = TypeVar("Revision")
PARALLEL_READS = 4  # names that are read side by side
TRIES = 5  # of check-and-set, against others that write at the same time
PAUSE = 0.05  # seconds, more after each loss: a standby may answer with what was kept a moment ago
Transition = Callable[["Entry | None"], Entry]


class Backend(ABC, Generic[Revision]):
    """A secrets backend. A subclass says how one name is read, and written unless somebody else wrote since."""

    environment = "ENV"
    """Whose secrets it keeps: said by whoever reads the inventory, for hints that can be run."""

    def __init__(self) -> None:
        self._lock = RLock()  # several hosts ask at once
        self._read: dict[str, tuple[Entry | None, Revision]] = {}
        self._pending: dict[str, str] = {}

    @abstractmethod
    def names(self) -> tuple[str, ...]:
        """Return the names that are kept. Raises `SecretsError`."""

    def _connect(self) -> None:
        """Open the connection for `_fetch`, before names are read in parallel. Raises `SecretsError`."""

    @abstractmethod
    def _fetch(self, name: str) -> tuple[Entry | None, Revision]:
        """Return the entry `name`, and its revision for `_put`. Raises `SecretsError`."""

    @abstractmethod
    def _put(self, name: str, entry: Entry, revision: Revision) -> bool:
        """Keep `entry`, or return False when `name` is not at `revision` any more. Raises `SecretsError`."""

    @abstractmethod
    def __str__(self) -> str:
        """Name the place, without a secret: vault:health-v1/production."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self})"

    def __copy__(self) -> Self:
        """Stay one: pyinfra copies group_data whenever it is read, and what was read and generated must be shared."""
        return self

    def versions(self, secret: Secret) -> tuple[Version, ...]:
        entry = self.entry(secret.key)
        if entry is None:
            return (Version(1, self._pending_value(secret)),)
        return tuple(Version(kept.number, kept.value) for kept in entry.accepted)

    def missing(self, secrets: tuple[Secret, ...]) -> tuple[Secret, ...]:
        entries = self.entries(secret.key for secret in secrets)
        return tuple(secret for secret in secrets if secret.entropy and entries[secret.key] is None)

    def store(self, secrets: tuple[Secret, ...]) -> None:
        """Keep what is missing. Of two that store at once, one wins each name and both go on with its value."""
        faults: list[Fault] = []
        for secret in self.missing(secrets):
            faults += self._store(secret)
            if any(fault.where != f"{self}#{secret.key}" for fault in faults[-1:]):
                break  # a fault of the whole backend would repeat for each name
        SecretsError.unless(faults)

    def _store(self, secret: Secret) -> tuple[Fault, ...]:
        value = self._pending_value(secret)
        try:
            self.change(secret.key, lambda current: current or Entry.first(value))
        except SecretsError as error:
            return error.faults
        self._pending.pop(secret.key, None)
        return ()

    def unexported(self, secrets: tuple[Secret, ...]) -> tuple[Fault, ...]:
        entries = self.entries(secret.key for secret in secrets if secret.belongs_in_escrow)
        return tuple(
            Fault(
                f"{self}#{name}",
                "It was never exported for escrow, and nothing could take its place.",
                f"healthv1 secrets init {self.environment}, then "
                f"healthv1 secrets export {self.environment} --to KEY --out FILE, and read it back",
            )
            for name, entry in entries.items()
            if entry is None or not entry.current.escrowed
        )

    def entry(self, name: str) -> Entry | None:
        """Return what is kept under `name`, read once per run. Raises `SecretsError`."""
        with self._lock:
            if name not in self._read:
                self._read[name] = self._fetch(name)
                _redact(self._read[name][0])
            return self._read[name][0]

    def entries(self, names: Iterable[str]) -> dict[str, Entry | None]:
        """Return several, read side by side. Raises `SecretsError` with the faults of all of them."""
        unique_names = tuple(dict.fromkeys(names))
        faults: dict[Fault, None] = {}

        def fetch(name: str) -> None:
            try:
                entry_and_revision = self._fetch(name)
            except SecretsError as error:
                faults.update(dict.fromkeys(error.faults))
            else:
                _redact(entry_and_revision[0])
                self._read[name] = entry_and_revision

        with self._lock:
            unread = [name for name in unique_names if name not in self._read]
            if unread:
                self._connect()
            with ThreadPoolExecutor(PARALLEL_READS) as pool:
                list(pool.map(fetch, unread))
        SecretsError.unless(faults)
        return {name: self.entry(name) for name in unique_names}

    def change(self, name: str, transition: Transition) -> Entry:
        """Replace what is kept by what `transition` makes of it, as often as others write first. Raises `SecretsError`.

        `transition` sees what is kept at that moment, and returns it as it is when nothing is to be done.
        """
        for lost in range(TRIES):
            time.sleep(lost * PAUSE)
            with self._lock:
                current = self.entry(name)
                changed = transition(current)
                if changed == current:
                    return changed
                _redact(changed)
                changes_begin()
                revision = self._read.pop(name)[1]
                if self._put(name, changed, revision):
                    return changed
        raise SecretsError(Fault(f"{self}#{name}", f"Others kept writing to it, {TRIES} times in a row.", "try again"))

    def restore_hint(self) -> str:
        """Return how to bring back the place itself when it is not there; empty when it is, or cannot be missing."""
        return ""

    def self_checks(self) -> Iterator[tuple[str, bool, str]]:
        """Yield claims about the backend itself: the claim, whether it holds, and the command that mends it."""
        yield from ()

    def forget(self) -> None:
        """Read anew what is asked for from now on."""
        with self._lock:
            self._read.clear()

    def _pending_value(self, secret: Secret) -> str:
        """Generate a value in memory: a plan needs it before it is stored."""
        if not secret.entropy:
            what = "It is not in the backend, and only a person can supply it."
            hint = f"supply it: healthv1 secrets set {self.environment} {secret.key}"
            raise SecretsError(Fault(f"{self}#{secret.key}", what, hint))
        with self._lock:
            if secret.key not in self._pending:
                self._pending[secret.key] = generate(secret.entropy)
            return self._pending[secret.key]


def generate(entropy: int) -> str:
    """Return `entropy` random bytes in base64, which every reader takes without quoting; the redactor knows it."""
    value = base64.b64encode(randomness.token_bytes(entropy)).decode()
    redactor.add(value)
    return value


def _redact(entry: Entry | None) -> None:
    for kept in entry.versions if entry else ():
        redactor.add(kept.value)
        redactor.add(kept.value.rpartition(":")[2])  # of "key:secret" the secret, as a program has it
