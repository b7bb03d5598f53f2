"""What PostgreSQL is told beyond what follows from its host. Its port, database and roles are the stack's."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, field_validator

from deploys.component import Settings

VERSION = {
    ("debian", "12"): 15,
    ("debian", "13"): 17,
    ("ubuntu", "22.04"): 14,
    ("ubuntu", "24.04"): 16,
}
"""The major version that each supported distribution brings."""

OURS = {
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
            if name in OURS or name.startswith("debug_"):
                raise ValueError(f"{name} is not free: {OURS.get(name, 'it is for the developers of PostgreSQL')}")
        return parameters
