"""A host answers over SSH, to the one key and with the one host key that it was given."""

from __future__ import annotations

import socket
import subprocess
from contextlib import suppress

from healthv1.errors import Fault
from healthv1.sandbox.description import Host
from healthv1.sandbox.place import Sandbox
from healthv1.sandbox.waiting import until


def ssh_command(host: Host, *command: str) -> list[str]:
    """Return the command line that opens a shell on the host, or runs `command` there."""
    options = {
        "UserKnownHostsFile": host.known_hosts,
        "GlobalKnownHostsFile": "/dev/null",
        "StrictHostKeyChecking": "yes",
        "IdentitiesOnly": "yes",
        "LogLevel": "ERROR",
        "ConnectTimeout": "5",
    }
    words = [word for key, value in options.items() for word in ("-o", f"{key}={value}")]
    return ["ssh", "-F", "none", "-i", host.ssh_key, *words, f"{host.user}@{host.address}", *command]


def on_host(host: Host, command: str) -> subprocess.CompletedProcess[str]:
    """Run a shell command as the admin user."""
    argv = ssh_command(host, "--", command)
    return subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)


def await_boot(sandbox: Sandbox, host: Host, *, seconds: float = 60) -> None:
    """Wait until the host lets its admin in and has started, well or badly, all that it starts at boot."""
    log = sandbox.host(host.name) / "console.log"
    fault = Fault(host.name, f"did not let {host.user} in within {seconds:.0f} s.", f"read {log}")
    # The banner first: a refused connection costs nothing, and a login is refused for a while after it (pam_nologin).
    until(lambda: _has_banner(host.address), fault, seconds=seconds, pause=0.05)
    until(lambda: on_host(host, "true").returncode == 0, fault, seconds=seconds)
    on_host(host, f"timeout {seconds:.0f} systemctl is-system-running --wait")


def boot_id(host: Host) -> str:
    """Return what differs from boot to boot, or nothing if the host cannot say."""
    return on_host(host, "cat /proc/sys/kernel/random/boot_id").stdout.strip()


def _has_banner(address: str) -> bool:
    with suppress(OSError), socket.create_connection((address, 22), timeout=1) as connection:
        connection.settimeout(3)
        return connection.recv(4) == b"SSH-"
    return False
