"""Who may do what in Redis. The host knows the API's password by its hash alone."""

from __future__ import annotations

import hashlib
import hmac

from deploys.component import Secret
from deploys.redis.settings import Redis

PROBE = "probe"
"""The user that tries whether Redis does its work. It reaches one key."""
PROBE_KEY = "health-v1:probe"
_FORBIDDEN = ("-@admin", "-@dangerous")  # CONFIG, KEYS, FLUSHALL, DEBUG, REPLICAOF, MONITOR …


def acl_file(settings: Redis, password: Secret) -> str:
    """Return the ACL file. Reveals the password: call it only to write the secret file."""
    revealed = password.reveal()
    commands = ["+@all", *_FORBIDDEN, *([] if settings.scripting else ["-@scripting"])]
    probing = [f"~{PROBE_KEY}", "-@all", "+ping", "+info", "+set", "+get", "+del"]
    return (
        f"user default reset on #{_digest(revealed)} ~* {' '.join(commands)}\n"
        f"user {PROBE} reset on #{_digest(_derived(revealed))} {' '.join(probing)}\n"
    )


def probe_login(password: Secret) -> str:
    """Return the line that logs the probe in. Reveals its password, from which the API's cannot be told."""
    return f"AUTH {PROBE} {_derived(password.reveal())}\n"


def _derived(password: str) -> str:
    return hmac.new(password.encode(), b"health-v1 redis probe", hashlib.sha256).hexdigest()


def _digest(password: str) -> str:
    return hashlib.sha256(password.encode()).hexdigest()
