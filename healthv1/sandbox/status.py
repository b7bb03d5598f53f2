"""The status of a sandbox's hosts and servers, as plain data."""

from __future__ import annotations

from dataclasses import dataclass

from healthv1.sandbox import boot
from healthv1.sandbox.description import described
from healthv1.sandbox.place import Sandbox
from healthv1.sandbox.servers import acme, locked_s3, openbao, s3, server


@dataclass(frozen=True)
class SandboxPart:
    """A host, or a server around the hosts."""

    name: str
    alive: bool
    address: str
    address6: str = ""


@dataclass(frozen=True)
class Status:
    name: str
    up: bool
    """Whether it came up whole, and every part of it is alive."""
    suite: str = ""
    hosts: tuple[SandboxPart, ...] = ()
    servers: tuple[SandboxPart, ...] = ()

    def lines(self) -> list[str]:
        """Return the status as a person reads it."""
        if not self.hosts:
            return [f"The sandbox {self.name} is not up."]
        words = {True: "runs", False: "is down"}
        return [f"{part.name:9} {words[part.alive]:8} {part.address}" for part in self.hosts + self.servers]


def status(sandbox: Sandbox) -> Status:
    description = described(sandbox)
    if description is None:
        return Status(sandbox.name, up=False)
    hosts = tuple(
        SandboxPart(host.name, boot.alive(sandbox, host.name), host.address, host.address6)
        for host in description.hosts
    )
    server_addresses = {
        openbao.NAME: description.openbao.address,
        acme.NAME: description.acme.directory_url,
        acme.RESOLVER: description.gateway,
        s3.NAME: description.s3.endpoint,
    }
    if description.locked_s3:
        server_addresses[locked_s3.NAME] = description.locked_s3.endpoint
    servers = tuple(
        SandboxPart(name, server.alive(sandbox, name), address) for name, address in server_addresses.items()
    )
    return Status(description.name, all(part.alive for part in hosts + servers), description.suite, hosts, servers)
