"""Our jails by name, and the ways in which they begin and end while a server runs that has others as well."""

from __future__ import annotations

OWN_JAILS = ("health-v1-sshd", "health-v1-nginx-limits", "health-v1-nginx-botsearch")
"""sshd's, and those of an edge host. fail2ban warns of names of more than 25 letters."""
FORMER_JAILS = ("sshd", "nginx-limits", "nginx-botsearch")
"""On hosts that earlier versions deployed: a ban belongs to the name of its jail, and stays."""

# What the server would not start with is refused. The client's test also refuses what the server leaves out, in jails
# that are not ours: then the server's own way of reading counts, in which a log that is not there raises.
TEST_START = """fail2ban-client --test || /usr/bin/python3 -c '
import sys
from fail2ban.client.jailsreader import JailsReader
reader = JailsReader(basedir="/etc/fail2ban", share_config={})
sys.exit(not (reader.read() and reader.getOptions() and reader.convert()))'"""

# A jail whose rule is in the kernel is not told of new ports by a mere reload; one that is new has to be there first.
_RESTART_JAIL = """take_up() {
  fail2ban-client status "$1" >/dev/null 2>&1 || { fail2ban-client add "$1" "$2"; fail2ban-client start "$1"; }
  fail2ban-client reload --restart "$1"; }"""


def jail_names(former: bool, edge: bool) -> tuple[str, ...]:
    return (FORMER_JAILS if former else OWN_JAILS)[: 3 if edge else 1]


def unused_jails(jails: tuple[str, ...]) -> tuple[str, ...]:
    """Return the jails of ours that a host has no longer, once it plays other parts."""
    return tuple(jail for jail in OWN_JAILS if jail not in jails)


def restart_jails(jails: tuple[str, ...]) -> str:
    """Return shell that has each jail begin with what is on disk, its bans with it; no other jail is touched."""
    calls = (f"take_up {jail} {'polling' if 'nginx' in jail else 'systemd'}" for jail in jails)
    return "\n".join(["{", _RESTART_JAIL, *calls, "} >&2"])


def stop_jails(jails: tuple[str, ...]) -> str:
    return "\n".join(f"fail2ban-client stop {jail} >/dev/null 2>&1 || true" for jail in jails)
