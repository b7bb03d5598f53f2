"""What each `healthv1 secrets` command does, without a terminal. None of them returns a value of a secret."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from deploys.secret import Secret
from healthv1 import commands
from healthv1.engine.bindings import Bound, bound
from healthv1.engine.session import opened
from healthv1.errors import Fault, Refused
from healthv1.progress import Progress
from healthv1.secrets import acceptance, data_keys, doctor, escrow, register, rotation
from healthv1.secrets.entry import Entry
from healthv1.secrets.file import EncryptedFile
from healthv1.secrets.file.replacement import replace
from healthv1.secrets.register import Row
from healthv1.secrets.rotation import Turn
from healthv1.secrets.strength import is_weak, wanted
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


@dataclass(frozen=True)
class Rotated:
    environment: str
    done: dict[str, int]
    """The active version of each that is settled."""
    waiting: dict[str, str]
    """What the others wait for."""

    def as_json(self) -> dict[str, Any]:
        return {"schema": SCHEMA, **asdict(self)}


def init(environment: str) -> Initialised:
    """Generate what is missing; overwrite nothing, also when another does the same at this moment."""
    found = bound(environment)
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
    return register.rows(bound(environment))


def put(environment: str, name: str, value: str, confirmed: Callable[[str], bool]) -> int:
    """Keep a value that a person supplies, and return its version's number.

    `confirmed` is asked, with the text to type, before what data depend on is replaced.
    """
    found = bound(environment)
    (secret,) = register.found(found, [name])
    _refuse_unusable(secret, value)
    backend = register.kept_by(found)
    entry = backend.entry(name)
    if entry and secret.rotation == "overlapping" and not secret.irreplaceable:
        hint = f"healthv1 secrets rotate {environment} {name} --stdin"
        raise Refused(Fault(str(secret), "It is in use: replaced at once, whoever uses it would be refused.", hint))
    if entry and secret.irreplaceable and not confirmed(f"{environment}/{name}"):
        raise Refused(Fault(str(secret), "It was not replaced: that was not the text.", "rotate it instead"))
    return backend.change(name, lambda now: _put(secret, entry, now, value)).active


def _put(secret: Secret, seen: Entry | None, found: Entry | None, value: str) -> Entry:
    if found != seen:
        raise Refused(Fault(str(secret), "Somebody else has just changed it.", "look at healthv1 secrets list"))
    if found is None:
        return Entry.first(value)
    if found.step != "settled":
        raise Refused(Fault(str(secret), f"A rotation is under way: it is {found.step}.", "finish it first"))
    return found.replaced(value, keep=secret.irreplaceable).settled()


def _refuse_unusable(secret: Secret, value: str) -> None:
    where = str(secret)
    if not value or any(character in value for character in "\n\r\0"):
        raise Refused(Fault(where, "The value is empty, or has more than one line.", "give it as one line"))
    if is_weak(value, secret):
        what = f"The value cannot hold the entropy of {wanted(secret)} random bytes."
        raise Refused(Fault(where, what, f"let it be generated, or use: openssl rand -base64 {secret.entropy}"))


def rotate(
    environment: str,
    names: Sequence[str],
    agree: Callable[[dict[str, str]], bool],
    *,
    value: str | None,
    at_once: bool,
) -> Rotated | None:
    """Rotate without a refused request, and return what came of it; None when `agree` was asked and declined."""
    found = bound(environment)
    register.kept_by(found)
    turns = [_turn(secret, found) for secret in register.found(found, names)]
    rotation.refuse(turns, value)
    if value is not None:
        _refuse_unusable(turns[0].secret, value)
    if not agree({turn.secret.key: turn.entry.step for turn in turns}):
        return None
    if all(turn.entry.step == "settled" for turn in turns):
        _refuse_pending_changes(environment)
    progress = Progress()
    rotation.begin(turns, value)
    waiting = rotation.rotate(turns, lambda: _apply(environment, progress), progress.note, at_once=at_once)
    return Rotated(
        environment,
        {turn.secret.key: turn.entry.active for turn in turns if turn not in waiting},
        {turn.secret.key: _awaited(turn, environment) for turn in waiting},
    )


def renew_data_keys(environment: str) -> str:
    """Seal all that is known of patients anew, under a new data key; return what was done."""
    with opened(environment, read_site=False) as session:
        session.refuse_faults()
        return data_keys.renew(session)


def _turn(secret: Secret, found: Bound) -> Turn:
    escrowed = secret.irreplaceable and found.environment.require_escrow
    return Turn(secret, found.environment.outlives(secret.key), escrowed)


def _refuse_pending_changes(environment: str) -> None:
    """What else is due is not slipped in with a rotation."""
    plan = commands.plan(environment, ())
    Refused.unless(plan.faults)
    if plan.steps:
        what = f"{plan.changes} changes are due on its hosts."
        raise Refused(Fault(environment, what, f"healthv1 apply {environment}, then rotate"))


def _apply(environment: str, progress: Progress) -> None:
    applied = commands.apply(environment, (), lambda _plan: True, progress)
    Refused.unless(applied.faults)


def _awaited(turn: Turn, environment: str) -> str:
    if turn.entry.step == "staged":
        return f"an export for escrow: healthv1 secrets export {environment}"
    return f"what was made with the old version, until {_clock(turn.due)}"


def _clock(moment: datetime | None) -> str:
    return moment.strftime("%Y-%m-%d %H:%M UTC") if moment else "an unknown time"


def check(environment: str) -> list[Finding]:
    """Try every secret on what it opens. Raises `Refused` when the backend cannot be read, or a host not be reached."""
    found = bound(environment)
    here = [one for one in doctor.examined(found) if one.claim != "names"]
    with opened(environment, read_site=False) as session:
        session.refuse_faults()
        tried = acceptance.tried(session)
        session.refuse_faults()
    return here + tried


def report(environment: str, findings: list[Finding]) -> commands.Report:
    return commands.Report(environment, findings)


def examine(environment: str) -> list[Finding]:
    return doctor.examined(bound(environment))


def export(environment: str, recipients: Sequence[str], out: Path, *, everything: bool) -> tuple[str, ...]:
    """Write an escrow file that only `recipients` can open; return the names in it."""
    found = bound(environment)
    entries = _entries(found, [one for one in found.secrets if one.irreplaceable or everything])
    data = escrow.sealed(entries, recipients, str(register.kept_by(found)))
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        replace(out, data.decode())
    except OSError as error:
        raise Refused(Fault(str(out), f"It cannot be written ({error.strerror}).", "choose another place")) from None
    return tuple(entries)


def read_back(environment: str, file: Path, identity: Path) -> tuple[str, ...]:
    """Open an escrow file, compare it with the backend, and note there that it is good; return the names in it."""
    found = bound(environment)
    data = file.read_bytes()
    exported = escrow.opened(data, identity)
    entries = _entries(found, register.found(found, exported.secrets))
    Refused.unless(
        Fault(str(file), f"It does not hold the {name} that the backend keeps now.", "export again")
        for name, entry in entries.items()
        if not exported.holds({name: entry})
    )
    for name, entry in entries.items():
        register.kept_by(found).change(name, lambda kept, entry=entry: _noted(kept, entry, escrow.digest(data)))  # type: ignore[misc]
    return tuple(entries)


def _noted(found: Entry | None, seen: Entry, digest: str) -> Entry:
    """Note the digest at the versions that were seen, and at no other: somebody may be rotating."""
    assert found is not None
    return found.escrowed(digest, {kept.number for kept in seen.versions})


def restore(environment: str, file: Path, identity: Path) -> tuple[str, ...]:
    """Bring back from an escrow file what the backend lost; return the names. What is there is never overwritten."""
    found = bound(environment)
    data = file.read_bytes()
    exported = escrow.opened(data, identity)
    backend = register.kept_by(found)
    lost = [one.key for one in register.found(found, exported.secrets) if backend.entry(one.key) is None]
    for name in lost:
        entry = exported.secrets[name]
        entry = entry.escrowed(escrow.digest(data), {kept.number for kept in entry.versions})
        backend.change(name, lambda kept, entry=entry: kept or entry)  # type: ignore[misc]
    return tuple(lost)


def policy(environment: str, name: str) -> str:
    """Return the Vault policy that lets a token deploy, rotate or read, and nothing else."""
    backend = register.kept_by(bound(environment))
    if not isinstance(backend, Vault):
        raise Refused(Fault(str(backend), "Policies are Vault's.", "see docs/secrets.md for other backends"))
    return backend.policy(name)


def rekey(environment: str) -> None:
    """Give the encrypted file a new key, for the recipients or the passphrase of now."""
    backend = register.kept_by(bound(environment))
    if not isinstance(backend, EncryptedFile):
        raise Refused(Fault(str(backend), "It has no key of its own.", "only an encrypted file has one"))
    backend.rekey()


def _entries(found: Bound, secrets: Sequence[Secret]) -> dict[str, Entry]:
    entries = register.kept_by(found).entries(secret.key for secret in secrets)
    Refused.unless(
        Fault(
            f"{register.kept_by(found)}#{name}", "It is not in the backend yet.", f"healthv1 secrets init {found.name}"
        )
        for name, entry in entries.items()
        if entry is None
    )
    return {name: entry for name, entry in entries.items() if entry}
