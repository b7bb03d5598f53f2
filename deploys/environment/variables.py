"""The variables, under the guide's names, and how their values are written down.

API_SERVICE_PORT and PROMETHEUS_METRICS_PORT are not among them: each instance is told its own by its unit.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import quote

from deploys.credentials.logins import logins
from deploys.environment.settings import Environment
from deploys.faults import Fault, Refused
from deploys.secret import Secret
from deploys.stack import LOOPBACK, Stack, Topology

_FLAGS = ("enable_pacs_integration", "enable_hl7_integration", "enable_fhir_api")
_LOGIN_LIMITS = ("login_failures_without_delay", "login_delay_max_seconds", "login_failures_remembered_minutes")
"""Of the bundled API alone. Others need not know them, so they are told only where they are set."""
_PLAIN = re.compile(r"[A-Za-z0-9_./:@%+=,-]*")
_SPECIAL = re.compile(r'([\\"$`])')


def env_file(variables: Mapping[str, str]) -> str:
    """Return the text of an environment file, which systemd (EnvironmentFile=) and POSIX shells read the same.

    They agree on single quotes, in which all is literal, and on double quotes with a backslash before each of
    backslash, double quote, dollar and backtick. Compose reads the first as well.
    """
    return "".join(f"{name}={_quoted(name, value)}\n" for name, value in variables.items())


def refuse_placeholders(variables: dict[str, str]) -> dict[str, str]:
    """Return the same, unless the API would not start with it."""
    for name, value in variables.items():
        if "${" in value:
            what = "Its value has ${ in it, which the API takes for a variable that nobody put a value for."
            raise Refused(Fault(name, what, "keep another value in the backend"))
    return variables


def _quoted(name: str, value: str) -> str:
    if any(character in value for character in "\n\r\0"):
        raise Refused(Fault(name, "Its value has more than one line.", "keep it in the backend as one line"))
    if _PLAIN.fullmatch(value):
        return value
    if "'" not in value:
        return f"'{value}'"
    escaped = _SPECIAL.sub(r"\\\1", value)
    return f'"{escaped}"'


def variables(settings: Environment, stack: Stack, topology: Topology) -> dict[str, str]:
    """Return what the API is told. Reveals secrets: call it only to write the secret file."""
    return {
        "ENVIRONMENT": stack.environment,
        "RUST_LOG": settings.log_level,
        **_services(settings, stack, topology),
        **_accepted_values("JWT_SECRET", settings.jwt_secret),
        "JWT_EXPIRATION_HOURS": str(settings.jwt_expiration_hours),
        "REFRESH_TOKEN_EXPIRATION_DAYS": str(settings.refresh_token_expiration_days),
        "CORS_ALLOWED_ORIGINS": ",".join(settings.cors_allowed_origins),
        **_accepted_values("SESSION_SECRET", settings.session_secret),
        "SESSION_TIMEOUT_MINUTES": str(settings.session_timeout_minutes),
        **_accepted_values("MASTER_KEY", settings.master_key),
        "DEK_ROTATION_DAYS": str(settings.dek_rotation_days),
        **{name.upper(): str(limit) for name in _LOGIN_LIMITS if (limit := getattr(settings, name)) is not None},
        "SMTP_HOST": settings.smtp_host,
        "SMTP_PORT": str(settings.smtp_port),
        "SMTP_USERNAME": settings.smtp_username,
        "SMTP_PASSWORD": settings.smtp_password.reveal() if settings.smtp_password else "",
        "SMTP_FROM": settings.smtp_from,
        "SENTRY_DSN": settings.sentry_dsn.reveal() if settings.sentry_dsn else "",
        **{flag.upper(): str(getattr(settings, flag)).lower() for flag in _FLAGS},
    }


def _accepted_values(name: str, secret: Secret) -> dict[str, str]:
    """Return the active version, and while it is being rotated the other one that is accepted."""
    return dict(zip((name, f"{name}_ALSO_ACCEPTED"), (version.value for version in secret.versions()), strict=False))


def _services(settings: Environment, stack: Stack, topology: Topology) -> dict[str, str]:
    login = logins(stack.database_user, stack.database_password)[0]
    database = _url("postgresql", login.role, login.password, LOOPBACK, stack.pooler_port)
    redis = _url("redis", "", stack.redis_password.reveal(), topology.database, stack.redis_port)
    return {
        "DATABASE_URL": f"{database}/{stack.database}",
        "DATABASE_MAX_CONNECTIONS": str(settings.database_max_connections),
        "DATABASE_MIN_CONNECTIONS": str(settings.database_min_connections),
        "REDIS_URL": f"{redis}/0",
    }


def owner_variables(stack: Stack, topology: Topology) -> dict[str, str]:
    """Return what migrations and seeding are told besides: the schema's owner, past the pooler, and who verifies.

    The API cannot read it. The first admin's password is not among it: seeding gets that once, and nobody keeps it.
    """
    password = stack.database_owner_password.reveal()
    url = _url("postgresql", stack.database_owner, password, topology.database, stack.postgresql_port)
    tls = "" if topology.database == LOOPBACK else "?sslmode=require"
    return {
        "MIGRATION_DATABASE_URL": f"{url}/{stack.database}{tls}",
        "APPLICATION_ROLE": stack.database_user,
        "VERIFICATION_PASSWORD": stack.verification_password.reveal(),
    }


def _url(scheme: str, user: str, password: str, address: str, port: int) -> str:
    # Percent-encoded: libpq stops reading a password at / @ and #.
    return f"{scheme}://{user}:{quote(password, safe='')}@{address}:{port}"
