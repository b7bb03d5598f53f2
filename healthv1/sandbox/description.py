"""What a running sandbox tells the rest of the world: addresses, and where its keys lie. Never a key itself."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

from healthv1.errors import Fault, SandboxError
from healthv1.sandbox import processes
from healthv1.sandbox.place import Sandbox


@dataclass(frozen=True)
class Host:
    name: str
    address: str
    address6: str
    user: str
    ssh_key: str
    """Path of the private key."""
    known_hosts: str
    role: str = ""
    """"drill" or "replacement"; the other hosts share the parts of the deployment."""


@dataclass(frozen=True)
class OpenBao:
    address: str
    token_file: str
    """A token that may do everything below the mount, and nothing else."""
    mount: str


@dataclass(frozen=True)
class Acme:
    directory_url: str
    ca_file: str
    """Who vouches for the directory's own HTTPS."""
    root_file: str
    """Who vouches for the certificates it issues."""


@dataclass(frozen=True)
class S3:
    endpoint: str
    """As the hosts reach it: by name, over TLS."""
    bucket: str
    key_file: str
    """JSON with access_key_id and secret_access_key."""
    # What an older sandbox did not write down is empty.
    address: str = ""
    """As this machine reaches it, which does not know the name."""
    region: str = ""
    ca_file: str = ""
    """Who vouches for its certificate."""


@dataclass(frozen=True)
class LockedS3(S3):
    """Its bucket keeps every version for a day, whoever asks. `key_file` is the hosts' key: no administration."""

    admin_key_file: str = ""
    """The key of the bucket's owner."""
    reader_key_file: str = ""
    """A key that reads and lists, and no more."""


@dataclass(frozen=True)
class Running:
    name: str
    suite: str
    domain: str
    """The API's public name, which the ACME server resolves to the last host."""
    gateway: str
    """This machine, as the hosts see it."""
    gateway6: str
    hosts: tuple[Host, ...]
    openbao: OpenBao
    acme: Acme
    s3: S3
    locked_s3: LockedS3 | None = None
    """None until somebody asks for it."""

    @property
    def deployed(self) -> tuple[Host, ...]:
        """Return the hosts that share the parts of the deployment."""
        return self.playing("")

    @property
    def edge(self) -> Host:
        """Return the host that the domain leads to."""
        return self.deployed[-1]

    def playing(self, role: str) -> tuple[Host, ...]:
        return tuple(host for host in self.hosts if host.role == role)

    def host(self, name: str) -> Host:
        for host in self.hosts:
            if host.name == name:
                return host
        names = ", ".join(host.name for host in self.hosts)
        raise SandboxError(Fault(name, f"is no host of the sandbox {self.name}.", f"choose one of {names}"))


def save(sandbox: Sandbox, description: Running) -> None:
    new = sandbox.description.with_suffix(".new")
    new.write_text(json.dumps(asdict(description), indent=2), encoding="utf-8")
    new.replace(sandbox.description)


def described(sandbox: Sandbox) -> Running | None:
    """Return what `up` wrote when it was done; None if it never was."""
    if not sandbox.description.exists():
        return None
    data: dict[str, Any] = json.loads(sandbox.description.read_text(encoding="utf-8"))
    data["hosts"] = tuple(Host(**host) for host in data["hosts"])
    data["openbao"] = OpenBao(**data["openbao"])
    data["acme"] = Acme(**data["acme"])
    data["s3"] = S3(**data["s3"])
    data["locked_s3"] = LockedS3(**data["locked_s3"]) if data.get("locked_s3") else None
    return Running(**data)


def running(name: str | None = None) -> Running | None:
    """Return the sandbox if any of it runs."""
    sandbox = Sandbox.named(name)
    description = described(sandbox)
    if description and any(processes.alive(record) for record in sandbox.state.glob("*/*/process")):
        return description
    return None


def load(name: str | None = None) -> Running:
    """Return the running sandbox.

    Raises SandboxError if there is none.
    """
    description = running(name)
    if description is None:
        sandbox = Sandbox.named(name)
        raise SandboxError(Fault(f"sandbox {sandbox.name}", "is not running.", "start it: healthv1 sandbox up"))
    return description
