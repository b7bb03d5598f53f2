"""The variables, and how their values are written down so that systemd and a shell read the same."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import quote

from deploys.environment.settings import Environment
from deploys.faults import Fault, Refused
from deploys.stack import LOOPBACK, Stack, Topology

_PLAIN = re.compile(r"[A-Za-z0-9_./:@%+=,-]*")
_SPECIAL = re.compile(r'([\\"$`])')


def env_file(variables: Mapping[str, str]) -> str:
    r"""Return the text of an environment file.

    systemd (EnvironmentFile=) and POSIX shells agree on double quotes in which a backslash stands before \\ " $ and `.
    """
    return "".join(f"{name}={_quoted(name, value)}\n" for name, value in variables.items())


def _quoted(name: str, value: str) -> str:
    if any(character in value for character in "\n\r\0"):
        raise Refused(Fault(name, "Its value has more than one line.", "give it in one line"))
    if _PLAIN.fullmatch(value):
        return value
    escaped = _SPECIAL.sub(r"\\\1", value)
    return f'"{escaped}"'


def variables(settings: Environment, stack: Stack, topology: Topology) -> dict[str, str]:
    """Return what the API is told. Reveals secrets: call it only to write the secret file."""
    user, password = stack.database_user, _encoded(stack.database_password.reveal())
    redis = _encoded(stack.redis_password.reveal())
    flags = {name.upper(): str(getattr(settings, name)).lower() for name in _FLAGS}
    return {
        "ENVIRONMENT": stack.environment,
        "LOG_LEVEL": settings.log_level,
        "DATABASE_URL": f"postgresql://{user}:{password}@{LOOPBACK}:{stack.pooler_port}/{stack.database}",
        "DATABASE_MAX_CONNECTIONS": str(settings.database_max_connections),
        "DATABASE_MIN_CONNECTIONS": str(settings.database_min_connections),
        "REDIS_URL": f"redis://:{redis}@{topology.database}:{stack.redis_port}/0",
        "JWT_SECRET": settings.jwt_secret.reveal(),
        "JWT_EXPIRATION_HOURS": str(settings.jwt_expiration_hours),
        "REFRESH_TOKEN_EXPIRATION_DAYS": str(settings.refresh_token_expiration_days),
        "CORS_ALLOWED_ORIGINS": ",".join(settings.cors_allowed_origins),
        "SESSION_SECRET": settings.session_secret.reveal(),
        "SESSION_TIMEOUT_MINUTES": str(settings.session_timeout_minutes),
        "MASTER_KEY": settings.master_key.reveal(),
        "DEK_ROTATION_DAYS": str(settings.dek_rotation_days),
        "SMTP_HOST": settings.smtp_host,
        "SMTP_PORT": str(settings.smtp_port),
        "SMTP_USERNAME": settings.smtp_username,
        "SMTP_PASSWORD": settings.smtp_password.reveal() if settings.smtp_password else "",
        "SMTP_FROM": settings.smtp_from,
        "SENTRY_DSN": settings.sentry_dsn.reveal() if settings.sentry_dsn else "",
        **flags,
    }


def owner_variables(stack: Stack, topology: Topology) -> dict[str, str]:
    """Return what migrations are told besides: the schema's owner, past the pooler. The API cannot read it."""
    password = _encoded(stack.database_owner_password.reveal())
    tls = "" if topology.database == LOOPBACK else "?sslmode=require"
    at = f"{topology.database}:{stack.postgresql_port}/{stack.database}{tls}"
    return {"MIGRATION_DATABASE_URL": f"postgresql://{stack.database_owner}:{password}@{at}"}


_FLAGS = ("enable_pacs_integration", "enable_hl7_integration", "enable_fhir_api")


def _encoded(password: str) -> str:
    """Percent-encode: libpq stops reading a password at / @ and #."""
    return quote(password, safe="")
