"""How SSH reaches a host."""

from __future__ import annotations

import shlex

from pyinfra.api.facts import FactBase
from pyinfra.context import host

# sshd's own word, and the port of the connection in use, which sudo forgets and the processes around it know:
# a socket of systemd's may listen elsewhere than sshd would.
_PORTS = """sshd=$(command -v sshd || echo /usr/sbin/sshd); "$sshd" -T 2>/dev/null | sed -n 's/^port //p'
p=$$; while [ "${p:-1}" -gt 1 ]; do
  port=$(tr '\\0' '\\n' 2>/dev/null < "/proc/$p/environ" | sed -n 's/^SSH_CONNECTION=.* //p')
  [ -z "$port" ] || { echo "$port"; break; }
  p=$(sed -n 's/^PPid:[[:space:]]*//p' "/proc/$p/status" 2>/dev/null)
done"""


class SshPorts(FactBase[list[int]]):
    """The ports that SSH comes in by, in order."""

    default = list

    def command(self) -> str:
        return _PORTS

    def process(self, output: list[str]) -> list[int]:
        return sorted({int(line) for line in output})


def ssh_ports() -> list[int]:
    """Return the current host's, or where nothing says so, the inventory's."""
    return host.get_fact(SshPorts) or [int(host.data.get("ssh_port") or 22)]


class TrustedAuthority(FactBase[str]):
    """The file of the authorities whose certificates open the account `user`: a path, "none", or empty."""

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
"""Shell that lists what others wrote since sshd last read its files: it writes its number whenever it does."""


class UnreadSshdFiles(FactBase[list[str]]):
    """The files of others' in which sshd would find news at a reload."""

    default = list

    def command(self) -> str:
        return f"{LIST_UNREAD_FILES} || true"

    def process(self, output: list[str]) -> list[str]:
        return sorted(output)
