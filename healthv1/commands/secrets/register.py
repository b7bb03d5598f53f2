"""The secrets that the settings name, with their entries in the backend: names, versions and ages, never values."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from deploys.secret import Secret
from healthv1.errors import Fault, Refused
from healthv1.hosts.secrets_in_use import SecretsInUse
from healthv1.secrets.backend import Backend
from healthv1.secrets.entry import Entry, now

SCHEMA = 1
"""Of the JSON documents of `healthv1 secrets`."""


@dataclass(frozen=True)
class Row:
    """One secret, without its value."""

    name: str
    reference: str
    version: int | None
    """Of the active one; None while it is missing."""
    age: timedelta | None
    """Of the active version; None when nobody recorded when it was made."""
    step: str
    escrowed: bool
    used_by: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        age = None if self.age is None else int(self.age.total_seconds())
        return {**self.__dict__, "age": age, "used_by": list(self.used_by)}


def backend_of(bound: SecretsInUse) -> Backend[Any]:
    """Return the environment's backend. Raises `Refused` when it keeps nothing, or when hosts differ in theirs."""
    backends = {str(secret.backend): secret.backend for secret in bound.secrets}
    if len(backends) > 1:
        raise Refused(Fault("group_data", f"Hosts have different backends: {', '.join(backends)}.", "choose one"))
    (backend,) = backends.values()
    if not isinstance(backend, Backend):
        raise Refused(Fault(str(backend), "It keeps nothing.", "choose a real environment"))
    return backend


def secrets_named(bound: SecretsInUse, names: Iterable[str]) -> tuple[Secret, ...]:
    """Return the secrets of these names. Raises `Refused` with every unknown one and a suggestion."""
    secrets = {secret.key: secret for secret in bound.secrets}
    Refused.unless(
        Fault(name, "No setting names a secret like that.", _suggestion(name, secrets))
        for name in names
        if name not in secrets
    )
    return tuple(secrets[name] for name in dict.fromkeys(names))


def _suggestion(name: str, names: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(names), n=1)
    return f"did you mean {close[0]}?" if close else f"known: {', '.join(names)}"


def rows(bound: SecretsInUse) -> list[Row]:
    entries = backend_of(bound).entries(secret.key for secret in bound.secrets)
    return [_row(secret, entries[secret.key]) for secret in bound.secrets]


def _row(secret: Secret, entry: Entry | None) -> Row:
    if entry is None:
        return Row(secret.key, str(secret), None, None, "missing", False, secret.used_by)
    current = entry.current
    age = now() - current.created if current.created else None
    return Row(secret.key, str(secret), current.number, age, entry.step, bool(current.escrowed), secret.used_by)


def table(rows: list[Row]) -> list[str]:
    """Return a table for a terminal: a line of headings, then one for each secret."""
    cells = [("NAME", "VERSION", "AGE", "STATE", "USED BY"), *(_cells(row) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in cells]


def _cells(row: Row) -> tuple[str, ...]:
    state = row.step + (", in escrow" if row.escrowed else "")
    return row.name, str(row.version or "-"), _age(row.age), state, ", ".join(row.used_by)


def _age(age: timedelta | None) -> str:
    if age is None:
        return "-"
    if age.days:
        return f"{age.days} d"
    return f"{age.seconds // 3600} h" if age.seconds >= 3600 else f"{age.seconds // 60} min"


def entries(in_use: SecretsInUse, secrets: Iterable[Secret]) -> dict[str, Entry]:
    kept = backend_of(in_use).entries(secret.key for secret in secrets)
    Refused.unless(
        Fault(f"{backend_of(in_use)}#{name}", "It is not in the backend yet.", f"healthv1 secrets init {in_use.name}")
        for name, entry in kept.items()
        if entry is None
    )
    return {name: entry for name, entry in kept.items() if entry}
