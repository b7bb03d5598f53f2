"""What each `healthv1 db` command does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from deploys.postgresql.settings import MAKER, Reading
from deploys.stack import Stack
from healthv1.access import shell as shells
from healthv1.access.ssh_client import ssh_argv
from healthv1.errors import Fault, Refused, SecretsError
from healthv1.hosts.pyinfra_names import Host
from healthv1.hosts.secrets_in_use import inventory_of
from healthv1.secrets.vault.database_logins import Lease, Leased

ADD = "reading = Reading(logins=Leased(by=secrets, role=…), vault_addresses=(…,)) in group_data; see docs/access.md"


@dataclass(frozen=True)
class Database:
    """The host of an environment's database, with its settings."""

    environment: str
    host: Host
    stack: Stack
    reading: Reading | None

    @contextmanager
    def place(self) -> Iterator[shells.PsqlPlace]:
        with ssh_argv(self.host) as ssh:
            yield shells.PsqlPlace(ssh, self.host.name, self.stack.postgresql_port, self.stack.database)

    def leased(self) -> tuple[Reading, Leased]:
        """Return the database engine that makes logins. Raises `Refused` when the settings have none."""
        if self.reading is None or not isinstance(self.reading.logins, Leased):
            what = "Nobody makes logins that read: the settings have no Vault for it."
            raise Refused(Fault(self.environment, what, f"set {ADD}"))
        return self.reading, self.reading.logins


@contextmanager
def _database(environment: str) -> Iterator[Database]:
    with inventory_of(environment) as inventory:
        hosts = inventory.groups.get("database", [])
        if not hosts:
            raise Refused(Fault(f"inventories/{environment}.py", "No host is in database.", "add the database's host"))
        data = hosts[0].data
        reading = data.get("reading")
        bound = reading.bind(data.get("secrets")) if isinstance(reading, Reading) else None
        yield Database(environment, hosts[0], data.get("stack"), bound)


def shell(environment: str, statements: str | None, greet: Callable[[str, Lease], None], *, read_only: bool) -> bool:
    """Open psql as the superuser, or with a login that Vault makes. Returns whether it ended well."""
    return _as_reader(environment, statements, greet) if read_only else _as_postgres(environment, statements)


def _as_postgres(environment: str, statements: str | None) -> bool:
    """Open psql as the superuser. Returns whether it ended well."""
    with _database(environment) as database, database.place() as place:
        return shells.as_postgres(place, statements)


def _as_reader(environment: str, statements: str | None, greet: Callable[[str, Lease], None]) -> bool:
    """Lease a login, open psql with it, and revoke it in any case. Returns whether psql ended well."""
    with _database(environment) as database, shells.signals_as_exit():
        _, leased = database.leased()
        with database.place() as place, _lease(leased) as lease:
            greet(database.host.name, lease)
            return shells.as_reader(place, lease, statements)


@contextmanager
def _lease(leased: Leased) -> Iterator[Lease]:
    lease = leased.lease()
    try:
        yield lease
    finally:
        with shells.signals_ignored():
            _revoke(leased, lease)


def _revoke(leased: Leased, lease: Lease) -> None:
    try:
        leased.revoke(lease)
    except SecretsError as error:
        what = f"The login {lease.user} was not removed: {'; '.join(fault.what for fault in error.faults)}"
        hint = f"it ends by itself within {lease.minutes} min; bao lease revoke {lease.identity}"
        raise SecretsError(Fault(str(leased), what, hint)) from None


def engine(environment: str) -> str:
    """Tell Vault's engine how it reaches the database, have it make a login and remove it; return the engine's name."""
    with _database(environment) as database:
        reading, leased = database.leased()
        secret = reading.database_engine_password
        if secret.backend is None or secret.backend.missing((secret,)):
            raise Refused(Fault(str(secret), "It is not in the backend yet.", f"healthv1 apply {environment}"))
        leased.configure(_url(database), MAKER, secret.reveal(), reading.minutes)
        with _lease(leased):
            return str(leased)


def _url(database: Database) -> str:
    data = database.host.data
    address = str(data.get("private_address") or data.get("ssh_hostname") or database.host.name)
    at = f"[{address}]" if ":" in address else address
    return (
        f"postgresql://{{{{username}}}}:{{{{password}}}}@{at}:{database.stack.postgresql_port}/postgres?sslmode=require"
    )
