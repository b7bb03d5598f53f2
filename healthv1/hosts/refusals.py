"""Faults of a failed login or a refused sudo. The hint is one command that runs as it stands."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from pyinfra.api.host import Host

from healthv1.errors import Fault

CONNECT_HINTS = {
    "login shell": "see what it says to this: {ssh} 'echo it works'",
    "No answer": "see whether it is there again: {ssh} 'echo it answers'",
    "MaxSessions": "at its console, set MaxSessions to 10 in /etc/ssh/sshd_config, then: systemctl reload ssh",
    "Authentication": "check ssh_user and ssh_key of this host in the inventory",
    "known_hosts": "log in once with ssh and compare the key, or add it to the known_hosts file",
    "host key": "compare the host's key with your records; if it was reinstalled, run ssh-keygen -R for it",
    "resolve hostname": "check ssh_hostname of this host in the inventory",
    "connect": "check that the host is up and that SSH is reachable from here",
}
RULES = "/etc/sudoers.d/zz-healthv1"
"""Sorted behind all others, because the last rule counts. Appended to, because it may need two."""
INSTALL = "apt-get update && apt-get install -y sudo"


def connect_fault(host: Host, message: str) -> Fault:
    text = message.rstrip(".")
    hint = next((hint for word, hint in CONNECT_HINTS.items() if word.lower() in text.lower()), "")
    return Fault(host.name, f"{text}.", hint.format(ssh=ssh(host)) if "{ssh}" in hint else hint)


def sudo_fault(host: Host, output_lines: Sequence[str]) -> Fault:
    text = "; ".join(output_lines) or "no reason given"
    what = "sudo is not installed." if "not found" in text else f"sudo was refused: {text.rstrip('.')}."
    return Fault(host.name, what, _way_to_sudo(host, text))


def _way_to_sudo(host: Host, output: str) -> str:
    user = str(host.data.get("ssh_user") or "$USER")
    if "not found" in output:
        install_and_allow = rf'su -c "{INSTALL} && echo {user} ALL=\(ALL\) NOPASSWD: ALL >>{RULES}"'
        return f"install it: {ssh(host, '-t')} '{INSTALL if user == 'root' else install_and_allow}'"
    if "must have a tty" in output:
        return f"""{ssh(host, "-t")} 'echo "Defaults:{user} !requiretty" | sudo tee -a {RULES}'"""
    return f"""{ssh(host, "-t")} 'echo "{user} ALL=(ALL) NOPASSWD: ALL" | sudo tee -a {RULES}'"""


def ssh(host: Host, *options: str) -> str:
    """Return the command that logs in there as we do."""
    data = host.data
    known_hosts, key, port, user = (data.get(f"ssh_{name}") for name in ("known_hosts_file", "key", "port", "user"))
    words = [
        *options,
        *(("-o", f"UserKnownHostsFile={known_hosts}") if known_hosts else ()),
        *(("-i", str(key)) if key else ()),
        *(("-p", str(port)) if port else ()),
        f"{user}@{data.get('ssh_hostname') or host.name}" if user else str(data.get("ssh_hostname") or host.name),
    ]
    return shlex.join(["ssh", *words])
