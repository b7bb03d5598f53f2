"""The identity of a host: its name, addresses and keys, and who may log in."""

from __future__ import annotations

import io
import tarfile
import uuid
from dataclasses import dataclass
from pathlib import Path

from healthv1.sandbox.addresses import S3_NAME, Addresses
from healthv1.sandbox.keys import ssh_key
from healthv1.sandbox.place import Sandbox
from healthv1.sandbox.tree import ADMIN, ADMIN_ID


@dataclass(frozen=True)
class HostFile:
    """One file of a host (a directory, if it has no text)."""

    path: str
    text: str = ""
    mode: int = 0o644
    owner: int = 0


def pack(sandbox: Sandbox, addresses: Addresses, name: str, position: int) -> None:
    """Write the host's identity as an archive, to be unpacked over a fresh tree before the first boot."""
    directory = sandbox.host(name)
    new = directory / ".identity.tar"
    with tarfile.open(new, "w") as archive:
        for entry in _entries(sandbox, addresses, name, position):
            _add(archive, entry)
    new.chmod(0o600)
    new.replace(directory / "identity.tar")


def pin(sandbox: Sandbox, addresses: Addresses, names: list[str]) -> None:
    """Write the known_hosts file that every connection is checked against."""
    lines = [
        f"{addresses.host(position)},{addresses.host6(position)} {ssh_key(_host_key(sandbox, name))}\n"
        for position, name in enumerate(names, 1)
    ]
    sandbox.known_hosts.write_text("".join(lines), encoding="utf-8")


def _host_key(sandbox: Sandbox, name: str) -> Path:
    return sandbox.host(name) / "ssh_host_ed25519_key"


def _entries(sandbox: Sandbox, addresses: Addresses, name: str, position: int) -> list[HostFile]:
    public = ssh_key(_host_key(sandbox, name))
    private = _host_key(sandbox, name).read_text(encoding="utf-8")
    home = f"home/{ADMIN}/.ssh"
    return [
        HostFile("etc/hostname", f"{name}\n"),
        HostFile("etc/hosts", _names(addresses, name)),
        HostFile("etc/resolv.conf", _nameservers()),
        HostFile("etc/machine-id", f"{uuid.uuid4().hex}\n", mode=0o444),
        HostFile("etc/systemd/network/10-host0.network", _network(addresses, position)),
        HostFile("etc/ssh/ssh_host_ed25519_key", private, mode=0o600),
        HostFile("etc/ssh/ssh_host_ed25519_key.pub", f"{public}\n"),
        HostFile(home, mode=0o700, owner=ADMIN_ID),
        HostFile(f"{home}/authorized_keys", f"{ssh_key(sandbox.ssh_key)}\n", mode=0o600, owner=ADMIN_ID),
    ]


def _add(archive: tarfile.TarFile, entry: HostFile) -> None:
    member = tarfile.TarInfo(entry.path)
    member.mode, member.uid, member.gid = entry.mode, entry.owner, entry.owner
    member.type = tarfile.REGTYPE if entry.text else tarfile.DIRTYPE
    member.size = len(entry.text.encode())
    archive.addfile(member, io.BytesIO(entry.text.encode()))


def _names(addresses: Addresses, name: str) -> str:
    # The own name first of all: else each sudo waits for DNS.
    return f"""127.0.0.1 localhost
127.0.1.1 {name}
::1 localhost ip6-localhost ip6-loopback
{addresses.gateway} {S3_NAME}
"""


def _nameservers(directory: Path = Path("/")) -> str:
    """Return this machine's nameservers; those behind systemd-resolved's, which no host can reach."""
    for path in ("etc/resolv.conf", "run/systemd/resolve/resolv.conf"):
        file = directory / path
        text = file.read_text(encoding="utf-8") if file.exists() else ""
        lines = [line for line in text.splitlines() if line.startswith("nameserver ") and " 127." not in line]
        if lines:
            return "\n".join([*lines, ""])
    return "# this machine has no nameserver that a host could reach\n"


def _network(addresses: Addresses, position: int) -> str:
    # No wait for duplicates: addresses are allotted. systemd.network(5)
    return f"""[Match]
Name=host0

[Network]
LinkLocalAddressing=ipv6
IPv6AcceptRA=no
Gateway={addresses.gateway}

[Address]
Address={addresses.host(position)}/24

[Address]
Address={addresses.host6(position)}/64
DuplicateAddressDetection=none
"""
