"""`healthv1 secrets set`: a value that a person supplies."""

from __future__ import annotations

from collections.abc import Callable

from deploys.secret import Secret
from healthv1.commands.secrets import register
from healthv1.errors import Fault, Refused
from healthv1.rollout.losses import bind_secrets_unless_lost
from healthv1.secrets.entry import Entry
from healthv1.secrets.strength import refuse_unusable


def put(environment: str, name: str, value: str, confirmed: Callable[[str], bool]) -> int:
    """Keep a value that a person supplies, and return its version's number.

    `confirmed` is called with the text to type, before a secret is replaced that data depend on.
    """
    in_use = bind_secrets_unless_lost(environment)
    (secret,) = register.secrets_named(in_use, [name])
    refuse_unusable(secret, value)
    backend = register.backend_of(in_use)
    entry = backend.entry(name)
    rotate = f"rotate it instead: healthv1 secrets rotate {environment} {name}"
    if entry and secret.rotation == "overlapping" and not secret.irreplaceable:
        hint = f"healthv1 secrets rotate {environment} {name} --stdin"
        raise Refused(Fault(str(secret), "It is in use: replaced at once, whoever uses it would be refused.", hint))
    if entry and secret.irreplaceable and not confirmed(f"{environment}/{name}"):
        raise Refused(Fault(str(secret), "It was not replaced: that was not the text.", rotate))
    return backend.change(name, lambda now: _put(secret, entry, now, value, environment)).active


def _put(secret: Secret, expected: Entry | None, current: Entry | None, value: str, environment: str) -> Entry:
    if current != expected:
        what = "Somebody else has just changed it."
        raise Refused(Fault(str(secret), what, f"look at it: healthv1 secrets list {environment}"))
    if current is None:
        return Entry.first(value)
    if current.step != "settled":
        hint = f"finish it first: healthv1 secrets rotate {environment} {secret.key}"
        raise Refused(Fault(str(secret), f"A rotation is under way: it is {current.step}.", hint))
    return current.replaced(value, keep=secret.irreplaceable).settled()
