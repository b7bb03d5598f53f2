"""A login for one session: made by Vault's or OpenBao's database engine, and removed when the session ends."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from typing_extensions import Self

from healthv1.output.redaction import redactor
from healthv1.secrets.vault import Engine, Vault


@dataclass(frozen=True)
class Lease:
    user: str
    password: str = field(repr=False)
    identity: str
    minutes: int


class Leased:
    """The database engine at `mount` of the Vault `by` makes logins with its `role`."""

    def __init__(self, by: Vault, role: str, mount: str = "database") -> None:
        self.mount = mount.strip("/")
        self.role = role
        self._engine = Engine(by, self.mount, "database")

    def __str__(self) -> str:
        return f"{self._engine}/creds/{self.role}"

    def __repr__(self) -> str:
        return f"Leased({self})"

    def __copy__(self) -> Self:
        return self

    def lease(self) -> Lease:
        """Have a login made. Raises `SecretsError`."""
        response = self._engine.read(f"creds/{self.role}")
        lease = Lease(
            response["data"]["username"],
            response["data"]["password"],
            response["lease_id"],
            int(response["lease_duration"]) // 60,
        )
        redactor.add(lease.password)
        return lease

    def revoke(self, lease: Lease) -> None:
        """Have the login removed, and its sessions ended. Raises `SecretsError`."""
        self._engine.revoke(lease.identity)

    def configure(self, url: str, user: str, password: str, minutes: int) -> None:
        """Tell the engine how it reaches PostgreSQL, which it tries at once, and how readers are made there.

        Writing the same again changes nothing. Raises `SecretsError`.
        """
        redactor.add(password)
        self._engine.write(
            f"config/{self.role}",
            plugin_name="postgresql-database-plugin",
            allowed_roles=[self.role],
            connection_url=url,
            username=user,
            password=password,
            password_authentication="scram-sha-256",  # noqa: S106 - PostgreSQL is sent the verifier alone
            verify_connection=True,
        )
        self._engine.write(f"roles/{self.role}", **_statements(self.role, minutes))


def _statements(name: str, minutes: int) -> dict[str, Any]:
    return {
        "db_name": name,
        "creation_statements": ["select health_reading.make('{{name}}', '{{password}}', '{{expiration}}')"],
        "revocation_statements": ["select health_reading.finish('{{name}}')"],
        "default_ttl": f"{minutes}m",
        "max_ttl": f"{minutes}m",
    }
