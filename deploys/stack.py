"""Settings that several components share, and the addresses of the hosts by part."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, field_validator

from deploys.component import Port, Secret, Settings, refuse_single_text
from deploys.names import domain, home

LOOPBACK = "127.0.0.1"
Identifier = Annotated[str, Field(pattern=r"^[a-z_][a-z0-9_]{0,62}$")]
Domain = Annotated[str, AfterValidator(domain)]


Home = Annotated[str, AfterValidator(home)]
Domains = Annotated[tuple[Domain, ...], BeforeValidator(refuse_single_text)]


class Stack(Settings):
    """Values that more than one component needs (rows G3, G6, G24 of the guide)."""

    domain: Domain
    """The API's public domain name."""
    aliases: Domains = ()
    """Further domain names: in the same certificate, and served by the same site."""
    environment: Literal["production", "staging", "sandbox", "development"] = "production"
    user: Annotated[str, Field(pattern=r"^[a-z_][a-z0-9_-]{0,31}$")] = "health-v1"
    """The system account that owns the files and runs the API."""
    home: Home = "/opt/health-v1"
    """The API's folder. It holds nothing else."""
    database: Identifier = "health_v1_prod"
    database_owner: Identifier = "health_owner"
    """Owns the schema and runs migrations; the API never logs in with it."""
    database_user: Annotated[str, Field(pattern=r"^[a-z_][a-z0-9_]{0,60}$")] = "health_user"
    """Holds the API's few rights. The API logs in as one of two members of it: health_user_a, health_user_b."""
    database_password: Secret = Secret(
        "database_password", entropy=32, used_by=("PostgreSQL", "PgBouncer", "API"), rotation="overlapping"
    )
    database_owner_password: Secret = Secret(
        "database_owner_password", entropy=32, used_by=("PostgreSQL", "migrations")
    )
    redis_password: Secret = Secret("redis_password", entropy=32, used_by=("Redis", "API"), rotation="overlapping")
    admin_password: Secret = Secret("admin_password", entropy=24, used_by=("seed",), rotation="by hand")
    """The initial password of the API's user `admin`, who may change it: the API keeps the changed one."""
    verification_password: Secret = Secret("verification_password", entropy=24, used_by=("seed", "verify"))
    """The password of the API's user `verification`, for `healthv1 verify`. That user sees synthetic patients only."""
    postgresql_port: Port = 5432
    pooler_port: Port = 6432
    redis_port: Port = 6379
    instances: tuple[Port, ...] = (8080, 8081)
    """One API process per port; the metrics ports and Nginx's upstream derive from it."""
    metrics_offset: Annotated[int, Field(ge=1, le=10000)] = 1000
    """An instance on port P serves its metrics on loopback port P + offset."""
    adopt: tuple[str, ...] = ()
    """Foreign things that an apply may take over, as a plan names them: "file /etc/nginx/nginx.conf"."""

    @property
    def names(self) -> tuple[str, ...]:
        """The domain and its aliases."""
        return tuple(dict.fromkeys((self.domain, *self.aliases)))

    @property
    def current(self) -> str:
        """The symlink to the running release."""
        return f"{self.home}/current"

    @property
    def certificate(self) -> str:
        """The edge's certificate chain and private key, in one file: one rename switches both."""
        return "/etc/nginx/tls/health-v1.pem"

    @property
    def challenges(self) -> str:
        """The webroot for ACME HTTP-01 challenges; the edge serves it on port 80."""
        return "/var/www/acme"

    def metrics_port(self, instance: int) -> int:
        return instance + self.metrics_offset

    @field_validator("instances")
    @classmethod
    def _are_distinct(cls, ports: tuple[int, ...]) -> tuple[int, ...]:
        if not ports or len(set(ports)) != len(ports):
            raise ValueError("give at least one port, and each one once")
        return ports


@dataclass(frozen=True)
class Topology:
    """The addresses of each part, seen from one host: a part on the same host is on loopback."""

    own: str
    """This host's private address, for connections from the other hosts."""
    database: str
    api: tuple[str, ...]
    edge: tuple[str, ...]
    other_hosts: tuple[str, ...]
    """All other hosts' private addresses."""

    @classmethod
    def seen_from(cls, own: str, parts: dict[str, Iterable[str]]) -> Topology:
        def as_loopback(addresses: Iterable[str]) -> tuple[str, ...]:
            return tuple(dict.fromkeys(LOOPBACK if address == own else address for address in addresses))

        database = as_loopback(parts.get("database", ()))
        other_addresses = {address for part in parts.values() for address in part} - {own}
        return cls(
            own=own,
            database=database[0] if database else LOOPBACK,
            api=as_loopback(parts.get("api", ())),
            edge=as_loopback(parts.get("edge", ())),
            other_hosts=tuple(sorted(other_addresses)),
        )

    def remote(self, part: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(address for address in part if address != LOOPBACK)
