"""What each `healthv1 secrets` command does, without a terminal. None of them returns a value of a secret."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from deploys.secret import Secret
from healthv1 import commands
from healthv1.engine.losses import whole
from healthv1.engine.session import opened
from healthv1.errors import Fault, Refused
from healthv1.secrets import acceptance, doctor, register
from healthv1.secrets.entry import Entry
from healthv1.secrets.file import EncryptedFile
from healthv1.secrets.register import Row
from healthv1.secrets.strength import refuse_unusable
from healthv1.secrets.vault import Vault
from healthv1.verify.finding import Finding

SCHEMA = 1


@dataclass(frozen=True)
class Initialised:
    environment: str
    generated: tuple[str, ...]
    kept: tuple[str, ...]
    """Those that were there, and stay as they are."""
    wanting: tuple[str, ...]
    """Those that only a person can supply."""

    def as_json(self) -> dict[str, Any]:
        return {"schema": SCHEMA, **asdict(self)}


def init(environment: str) -> Initialised:
    """Generate what is missing; overwrite nothing, also when another does the same at this moment."""
    found = whole(environment)
    backend = register.kept_by(found)
    entries = backend.entries(secret.key for secret in found.secrets)
    missing = backend.missing(found.secrets)
    backend.store(missing)
    return Initialised(
        environment,
        tuple(secret.key for secret in missing),
        tuple(name for name, entry in entries.items() if entry),
        tuple(secret.key for secret in found.secrets if not secret.entropy and not entries[secret.key]),
    )


def listing(environment: str) -> list[Row]:
    return register.rows(whole(environment))


def put(environment: str, name: str, value: str, confirmed: Callable[[str], bool]) -> int:
    """Keep a value that a person supplies, and return its version's number.

    `confirmed` is asked, with the text to type, before what data depend on is replaced.
    """
    found = whole(environment)
    (secret,) = register.found(found, [name])
    refuse_unusable(secret, value)
    backend = register.kept_by(found)
    entry = backend.entry(name)
    rotate = f"rotate it instead: healthv1 secrets rotate {environment} {name}"
    if entry and secret.rotation == "overlapping" and not secret.irreplaceable:
        hint = f"healthv1 secrets rotate {environment} {name} --stdin"
        raise Refused(Fault(str(secret), "It is in use: replaced at once, whoever uses it would be refused.", hint))
    if entry and secret.irreplaceable and not confirmed(f"{environment}/{name}"):
        raise Refused(Fault(str(secret), "It was not replaced: that was not the text.", rotate))
    return backend.change(name, lambda now: _put(secret, entry, now, value, environment)).active


def _put(secret: Secret, seen: Entry | None, found: Entry | None, value: str, environment: str) -> Entry:
    if found != seen:
        what = "Somebody else has just changed it."
        raise Refused(Fault(str(secret), what, f"look at it: healthv1 secrets list {environment}"))
    if found is None:
        return Entry.first(value)
    if found.step != "settled":
        hint = f"finish it first: healthv1 secrets rotate {environment} {secret.key}"
        raise Refused(Fault(str(secret), f"A rotation is under way: it is {found.step}.", hint))
    return found.replaced(value, keep=secret.irreplaceable).settled()


def check(environment: str) -> list[Finding]:
    """Try every secret on what it opens. Raises `Refused` when the backend cannot be read, or a host not be reached."""
    found = whole(environment)
    here = [one for one in doctor.examined(found) if one.claim != "names"]
    with opened(environment, read_site=False) as session:
        session.refuse_faults()
        tried = acceptance.tried(session)
        session.refuse_faults()
    return here + tried


def report(environment: str, findings: list[Finding]) -> commands.Report:
    return commands.Report(environment, findings)


def examine(environment: str) -> list[Finding]:
    return doctor.examined(whole(environment))


def policy(environment: str, name: str) -> str:
    """Return the Vault policy that lets a token deploy, rotate or read, and nothing else."""
    backend = register.kept_by(whole(environment))
    if not isinstance(backend, Vault):
        raise Refused(Fault(str(backend), "Policies are Vault's.", "see docs/secrets.md for other backends"))
    return backend.policy(name)


def rekey(environment: str) -> None:
    """Give the encrypted file a new key, for the recipients or the passphrase of now."""
    backend = register.kept_by(whole(environment))
    if not isinstance(backend, EncryptedFile):
        raise Refused(Fault(str(backend), "It has no key of its own.", "only an encrypted file has one"))
    backend.rekey()
