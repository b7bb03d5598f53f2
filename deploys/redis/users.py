"""Who may do what in Redis. The host knows the API's passwords by their hashes alone."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable

from deploys.component import Secret
from deploys.redis.settings import Redis

PROBE = "probe"
"""The user that tries whether Redis does its work, and tells it to read this file again. It reaches one key."""
PROBE_KEY = "health-v1:probe"
_FORBIDDEN = ("-@admin", "-@dangerous")  # CONFIG, KEYS, FLUSHALL, DEBUG, REPLICAOF, MONITOR …


def acl_file(settings: Redis, password: Secret) -> str:
    """Return the ACL file: every accepted password opens. Reveals them: call it only to write the secret file."""
    # By number: the file stays as it is when another version becomes the active one.
    passwords = [version.value for version in sorted(password.versions(), key=lambda version: version.number)]
    commands = ["+@all", *_FORBIDDEN, *([] if settings.scripting else ["-@scripting"])]
    probe_rules = [f"~{PROBE_KEY}", "-@all", "+ping", "+info", "+set", "+get", "+del", "+acl|load"]
    return (
        f"user default reset on {_digests(passwords)} ~* {' '.join(commands)}\n"
        f"user {PROBE} reset on {_digests(map(_probe_password, passwords))} {' '.join(probe_rules)}\n"
    )


def probe_login(password: Secret) -> str:
    """Return the line that logs the probe in. Reveals its password, from which the API's cannot be told."""
    return f"AUTH {PROBE} {_probe_password(password.reveal())}\n"


def _probe_password(password: str) -> str:
    return hmac.new(password.encode(), b"health-v1 redis probe", hashlib.sha256).hexdigest()


def _digests(passwords: Iterable[str]) -> str:
    return " ".join(f"#{hashlib.sha256(password.encode()).hexdigest()}" for password in passwords)
