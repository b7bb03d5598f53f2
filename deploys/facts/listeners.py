"""Foreign programs that listen on TCP ports."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from pyinfra.api.command import QuoteString, StringCommand
from pyinfra.api.facts import FactBase

from deploys.ports import Listener, PortClaim

# From ss: port, processes, address, program. The unit identifies the owner, since it survives restarts; the process
# does in a user's session, or where systemd listens for a socket unit. A server's child has its socket for a moment,
# and may have ended by now: so every process counts, and a look that found none of them alive is no answer.
_LISTENERS = r"""awk -v ports=" $ports " '{ n = split($4, part, ":"); port = part[n]
  address = substr($4, 1, length($4) - length(port) - 1); gsub(/\[|\]|%.*/, "", address)
  if (!index(ports, " " port " ")) next
  processes = ""; program = "-"; rest = $0
  while (match(rest, /\("[^"]*",pid=[0-9]+/)) {
    split(substr(rest, RSTART + 2, RLENGTH - 2), who, "\",pid="); rest = substr(rest, RSTART + RLENGTH)
    if (program == "-") program = who[1]
    processes = processes "," who[2] }
  print port, (processes ? processes : "-"), address, program }' | while read -r port processes address program; do
  unit= alive=
  for process in $(echo "$processes" | tr , ' '); do
    groups=$(cat "/proc/$process/cgroup") || continue
    : "${alive:=$process}"
    unit=$(echo "$groups" | sed -nE 's#^(0:|[0-9]+:name=systemd):.*/([^/]+\.service)(/.*)?$#\2#p' | tail -n 1)
    [ -z "$unit" ] || break; done
  [ "$processes" = - ] || [ -n "$alive" ] || { echo ended; continue; }
  ! ours "$port:$unit" || continue
  echo "$port|$address|$program|${unit:-process ${alive:--}}"; done"""
# Only on a conflict: other listeners come and go, and would make saved plans stale.
_USED_PORTS = "ss -Hltn | awk '{ n = split($4, part, \":\"); print part[n] }'"


class ListenersOnHost(NamedTuple):
    rivals: tuple[Listener, ...] = ()
    """Listeners on a claimed port that are not of the claim's units."""
    used_ports: frozenset[int] = frozenset()
    """All ports in use; empty without a conflict."""


class Listeners(FactBase[ListenersOnHost]):
    """Foreign listeners on claimed ports and, if there are any, all ports in use."""

    default = ListenersOnHost

    def command(self, claims: Sequence[PortClaim], marks: Mapping[str, str]) -> StringCommand:
        ports = " ".join(dict.fromkeys(str(claim.port) for claim in claims))
        cases = "\n".join(_case(claim, claim.units(marks)) for claim in claims)
        ours = f"ours() {{ case $1 in\n{cases}\n*) false;; esac; }}"
        survey = f"""for look in 1 2 3; do rivals=$(ss -Hltnp | {_LISTENERS})
case $rivals in *ended*) sleep 0.2;; *) break;; esac; done"""
        report = f'rivals=$(echo "$rivals" | grep "|"); [ -z "$rivals" ] || {{ echo "$rivals"; {_USED_PORTS}; }}'
        script = "\n".join((f"ports={shlex.quote(ports)}", ours, survey, report))
        return StringCommand("{", "sh", "-c", QuoteString(script), "2>/dev/null", "||", "true;", "}")

    def process(self, output: list[str]) -> ListenersOnHost:
        rows = [line.split("|", 3) for line in output]
        return ListenersOnHost(
            tuple(Listener(int(row[0]), *row[1:]) for row in rows if row[1:]),
            frozenset(int(row[0]) for row in rows if not row[1:]),
        )


def _case(claim: PortClaim, units: Sequence[str]) -> str:
    if not units:
        return ""
    patterns = " | ".join(f"{claim.port}:{unit}" for unit in units)
    return f"{patterns}) {f'ls {claim.required_files} >/dev/null' if claim.required_files else 'true'};;"
