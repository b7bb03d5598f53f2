"""What PostgreSQL is told beyond what follows from its host. Its port, database and roles are the stack's."""

from __future__ import annotations

import ipaddress
from typing import Annotated, Protocol, runtime_checkable

from pydantic import AfterValidator, Field, field_validator

from deploys.component import Secret, Settings

VERSION = {
    ("debian", "12"): 15,
    ("debian", "13"): 17,
    ("ubuntu", "22.04"): 14,
    ("ubuntu", "24.04"): 16,
}
"""The major version that each supported distribution brings."""

RESERVED_PARAMETERS = {
    "archive_command": "set backup.repository",
    "archive_library": "set backup.repository",
    "archive_mode": "set backup.repository",
    "archive_timeout": "set backup.archive_timeout",
    "config_file": "the host's layout decides it",
    "data_directory": "the host's layout decides it",
    "hba_file": "pg_hba.conf is managed whole",
    "listen_addresses": "it follows from the inventory",
    "max_connections": "set max_connections beside it",
    "password_encryption": "every password is SCRAM-SHA-256",
    "port": "set stack.postgresql_port",
    "shared_preload_libraries": "the audit depends on it",
    "ssl": "connections from other hosts need it",
    # What a patient's data or a password would reach the log by.
    "log_duration": "set log_slow_statements",
    "log_error_verbosity": "details of errors quote patients' data",
    "log_min_duration_statement": "set log_slow_statements",
    "log_min_error_statement": "statements quote patients' data",
    "log_parameter_max_length": "parameters are patients' data",
    "log_parameter_max_length_on_error": "parameters are patients' data",
    "log_statement": "statements quote patients' data",
    "pgaudit.log_parameter": "parameters are patients' data",
    "pgaudit.log_statement": "statements quote patients' data",
}
"""Parameters that nobody may set, and why."""

Parameter = Annotated[str, Field(pattern=r"^[a-z_][a-z0-9_]*(\.[a-z_][a-z0-9_]*)?$")]
Value = Annotated[str, Field(pattern=r"^[^\x00-\x1f]*$")]


class Postgresql(Settings):
    memory: Annotated[float, Field(ge=0.5, le=4096)] | None = None
    """GiB to tune for; None: all that the host has. Give less where other services need much of it."""
    max_connections: Annotated[int, Field(ge=20, le=5000)] = 100
    """The pooler of each API host takes 25; migrations, backups, monitoring and people need about 20."""
    log_slow_statements: Annotated[int, Field(ge=-1)] = -1
    """Milliseconds from which a statement is logged with its text, its parameters never; -1: none is.

    A statement that carries values in its text (by hand, or from a driver that does not bind) writes them to the log.
    """
    parameters: dict[Parameter, Value] = {}
    """Any other parameter of PostgreSQL, or another value than the computed one: {"work_mem": "32MB"}."""

    @field_validator("parameters")
    @classmethod
    def _are_free(cls, parameters: dict[str, str]) -> dict[str, str]:
        for name in parameters:
            # debug_* prints whole statements into the log.
            if name in RESERVED_PARAMETERS or name.startswith("debug_"):
                raise ValueError(
                    f"{name} is not free: {RESERVED_PARAMETERS.get(name, 'it is for the developers of PostgreSQL')}"
                )
        return parameters


READER = "health_reader"
"""Holds the right to read. Nobody logs in as it: each login that Vault makes is a member."""
MAKER = "health_vault"
"""Whom Vault logs in as. It may have readers made and removed, and nothing else."""


def _is_address(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise ValueError("give an address, such as 10.0.0.9: a firewall knows no names") from None


@runtime_checkable
class Logins(Protocol):
    """Who makes a login for one session, on the operator's side."""

    mount: str
    role: str


class Reading(Settings):
    """People read the database with a login that is made for one session. Without this setting there are no such."""

    logins: Logins
    vault_addresses: Annotated[tuple[Annotated[str, AfterValidator(_is_address)], ...], Field(min_length=1)]
    """Where Vault's own connections come from: PostgreSQL and the firewall let those in, over TLS."""
    database_engine_password: Secret = Secret(
        "database_engine_password", entropy=32, used_by=("PostgreSQL", "Vault"), rotation="replacing"
    )
    minutes: Annotated[int, Field(ge=5, le=1440)] = 60
    """How long a login lasts at most."""
    statement_timeout: Annotated[int, Field(ge=1)] = 60
    """Seconds."""
    connections: Annotated[int, Field(ge=1, le=10)] = 3
    """Of one login at once."""
    withheld: tuple[Annotated[str, Field(pattern=r"^[a-z_][a-z0-9_]*\.[a-z_][a-z0-9_]*$")], ...] = (
        "data_keys.wrapped",
        "refresh_tokens.digest",
        "users.password_hash",
    )
    """table.column that no reader sees. Patients' data are encrypted by the API in any case."""
