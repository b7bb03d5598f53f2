"""`healthv1 secrets doctor`: faults of the secrets, present and coming, found in the backend alone."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from deploys.secret import Secret
from healthv1.commands.secrets.register import backend_of
from healthv1.hosts.secrets_in_use import SecretsInUse
from healthv1.plan.finding import Finding
from healthv1.rollout.losses import bind_secrets_unless_lost
from healthv1.secrets.backend import Backend
from healthv1.secrets.entry import Entry, now
from healthv1.secrets.strength import is_weak, required_bytes

OLD = timedelta(days=365)


def examine(environment: str) -> list[Finding]:
    return findings(bind_secrets_unless_lost(environment))


def findings(bound: SecretsInUse) -> list[Finding]:
    """Raises `SecretsError` when the backend cannot be read."""
    backend = backend_of(bound)
    names = backend.names()
    entries = backend.entries(secret.key for secret in bound.secrets)
    claims = [
        finding for secret in bound.secrets for finding in _secret_findings(secret, entries[secret.key], bound, backend)
    ]
    return [*claims, *_unused_names(names, bound, backend), *_backend_findings(backend)]


def _secret_findings(
    secret: Secret, entry: Entry | None, bound: SecretsInUse, backend: Backend[Any]
) -> Iterator[Finding]:
    def finding(claim: str, holds: bool, hint: str) -> Finding:
        return Finding(str(backend), secret.key, claim, holds, "", hint)

    supply = (
        f"healthv1 secrets init {bound.name}" if secret.entropy else f"healthv1 secrets set {bound.name} {secret.key}"
    )
    yield finding("It is there", entry is not None, supply)
    if entry is None:
        return
    rotate = f"healthv1 secrets rotate {bound.name} {secret.key}"
    if secret.entropy:
        weak = is_weak(entry.current.value, secret)
        yield finding(f"It can hold the entropy of {required_bytes(secret)} random bytes", not weak, rotate)
    yield finding("No rotation of it was left half done", entry.step in {"settled", "promoted"}, rotate)
    if entry.step == "promoted" and entry.since:
        over = now() >= entry.since + bound.environment.validity(secret.key)
        yield finding("No old version is accepted for longer than it must be", not over, rotate)
    if secret.belongs_in_escrow and bound.environment.require_escrow:
        exported = all(kept.escrowed for kept in entry.accepted)
        export = f"healthv1 secrets export {bound.name} --to KEY --out FILE"
        yield finding("It was exported for escrow, and read back", exported, export)
    created = entry.current.created
    yield finding(f"It is younger than {OLD.days} days", created is None or now() - created < OLD, rotate)


def _unused_names(names: tuple[str, ...], bound: SecretsInUse, backend: Backend[Any]) -> Iterator[Finding]:
    strange = ", ".join(sorted(set(names) - {secret.key for secret in bound.secrets}))
    hint = "a setting may have a typo; remove what nothing uses"
    yield Finding(
        str(backend), "names", "Every name in the backend is used by some setting", not strange, strange, hint
    )


def _backend_findings(backend: Backend[Any]) -> Iterator[Finding]:
    for claim, holds, mended in backend.self_checks():
        yield Finding(str(backend), "place", claim, holds, "", mended)
