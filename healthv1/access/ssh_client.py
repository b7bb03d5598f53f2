"""OpenSSH's client with the inventory's settings of a host: for people at a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from healthv1.access.agent import agent
from healthv1.hosts.pyinfra_names import Host
from healthv1.hosts.signing_in import credential_for


@contextmanager
def ssh_argv(host: Host) -> Iterator[list[str]]:
    """Yield the ssh command line up to the remote command. An agent holds a signed key meanwhile."""
    credential = credential_for(host)
    if credential is None:
        yield command_line(host)
        return
    with agent(credential) as at:
        yield command_line(host, at)


def command_line(host: Host, agent_at: Path | None = None) -> list[str]:
    data = host.data
    options = {
        "LogLevel": "ERROR",
        "ConnectTimeout": "10",
        "ServerAliveInterval": "15",
        "UserKnownHostsFile": data.get("ssh_known_hosts_file"),
        "StrictHostKeyChecking": data.get("ssh_strict_host_key_checking"),
        "IdentityAgent": agent_at,
        # Without a signed key: the inventory's key, and none of the many that an agent may hold.
        "IdentitiesOnly": "yes" if data.get("ssh_key") and agent_at is None else None,
    }
    switches = {
        "-F": data.get("ssh_config_file"),
        "-p": data.get("ssh_port"),
        "-l": data.get("ssh_user"),
        "-i": data.get("ssh_key"),
    }
    return [
        "ssh",
        *(word for switch, value in switches.items() if value for word in (switch, str(value))),
        *(word for name, value in options.items() if value for word in ("-o", f"{name}={value}")),
        "--",
        str(data.get("ssh_hostname") or host.name),
    ]
