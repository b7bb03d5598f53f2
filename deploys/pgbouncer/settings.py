"""How many clients share how many connections. Ports, the database and its user are the stack's."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, ValidationInfo, field_validator

from deploys.component import Settings

HAS_PREPARED_STATEMENTS = {
    ("debian", "12"): False,
    ("debian", "13"): True,
    ("ubuntu", "22.04"): False,
    ("ubuntu", "24.04"): True,
}
"""Whether the distribution's PgBouncer knows max_prepared_statements (1.21); an older one would not start."""

PACKAGES = ("pgbouncer", "postgresql-client")
"""psql asks through the pooler whether it works."""

Positive = Annotated[int, Field(ge=1, le=100_000)]


class Pgbouncer(Settings):
    max_client_conn: Positive = 1000
    default_pool_size: Positive = 25
    """Connections to PostgreSQL: what max_connections there has to fit, for each API host."""
    max_prepared_statements: Annotated[int, Field(ge=0)] = 200
    """Of one connection, where PgBouncer can keep them (Debian 13, Ubuntu 24.04)."""
    query_wait_timeout: Positive = 30
    """Seconds that a query waits for a free connection before it is refused."""

    @property
    def limit_nofile(self) -> int:
        """Every client and every connection is a file, and some are for itself."""
        return self.max_client_conn + self.default_pool_size + 512

    @field_validator("default_pool_size")
    @classmethod
    def _is_within_the_clients(cls, size: int, info: ValidationInfo) -> int:
        if size > info.data.get("max_client_conn", size):
            raise ValueError("it is more than max_client_conn")
        return size
