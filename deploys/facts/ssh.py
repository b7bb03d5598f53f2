"""SSH on a host: its ports, trusted authorities and unread files."""

from __future__ import annotations

import shlex

from pyinfra.api.facts import FactBase
from pyinfra.context import host

# sshd's configured ports, and the port of the current connection: a systemd socket may listen elsewhere. sudo drops
# SSH_CONNECTION, so it is read from the parent processes.
_PORTS = """sshd=$(command -v sshd || echo /usr/sbin/sshd); "$sshd" -T 2>/dev/null | sed -n 's/^port //p'
p=$$; while [ "${p:-1}" -gt 1 ]; do
  port=$(tr '\\0' '\\n' 2>/dev/null < "/proc/$p/environ" | sed -n 's/^SSH_CONNECTION=.* //p')
  [ -z "$port" ] || { echo "$port"; break; }
  p=$(sed -n 's/^PPid:[[:space:]]*//p' "/proc/$p/status" 2>/dev/null)
done"""


class SshPorts(FactBase[list[int]]):
    """The ports of SSH, sorted."""

    default = list

    def command(self) -> str:
        return _PORTS

    def process(self, output: list[str]) -> list[int]:
        return sorted({int(line) for line in output})


def ssh_ports() -> list[int]:
    """Return the current host's SSH ports, else the inventory's."""
    return host.get_fact(SshPorts) or [int(host.data.get("ssh_port") or 22)]


class TrustedAuthority(FactBase[str]):
    """TrustedUserCAKeys for the account `user`: a path, "none", or empty."""

    default = str

    def command(self, user: str) -> str:
        show_settings = f"sshd -T -C user={shlex.quote(user)},host=localhost,addr=127.0.0.1"
        return f"PATH=$PATH:/usr/sbin; {show_settings} 2>/dev/null | sed -n 's/^trustedusercakeys //p'"

    def process(self, output: list[str]) -> str:
        return output[0] if output else ""


LIST_UNREAD_FILES = (
    "[ ! -e /run/sshd.pid ] || find /etc/ssh/sshd_config /etc/ssh/sshd_config.d -type f -cnewer /run/sshd.pid"
    " ! -name '*health-v1*' 2>/dev/null"
)
"""Shell that lists foreign files newer than sshd's last read: it writes its PID file whenever it reads them."""


class UnreadSshdFiles(FactBase[list[str]]):
    """Foreign configuration files that a reload of sshd would read for the first time."""

    default = list

    def command(self) -> str:
        return f"{LIST_UNREAD_FILES} || true"

    def process(self, output: list[str]) -> list[str]:
        return sorted(output)
