"""A host's hardware, distribution and clock."""

from __future__ import annotations

import time
from dataclasses import dataclass

from pyinfra.api.facts import FactBase

_MEASURE = """export LC_ALL=C; . /etc/os-release; echo "now=$(date +%s)"; echo "os=$ID"; echo "release=${VERSION_ID-}"
echo "architecture=$(uname -m)"
echo "cores=$(nproc)"; echo "memory=$(awk '/^MemTotal/ {print $2 * 1024}' /proc/meminfo)"
echo "disk=$(df -B1 --output=size /var | tail -n 1)"; echo "free=$(df -B1 --output=avail /var | tail -n 1)"
echo "python=$(python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)"
disk=$(findmnt -no MAJ:MIN -T /var 2>/dev/null); echo "rotational=$(cat "/sys/dev/block/$disk/queue/rotational" \
  "/sys/dev/block/$disk/../queue/rotational" 2>/dev/null | head -n 1)"
echo "identity=$(cat /etc/machine-id 2>/dev/null)"
[ ! -e /proc/net/if_inet6 ] && echo ipv6=0 || echo ipv6=1"""


@dataclass(frozen=True)
class Machine:
    os: str
    release: str
    architecture: str
    cores: int
    memory: int
    """Bytes."""
    disk: int
    """Bytes of the file system that holds /var."""
    free: int
    """Bytes that are free on it."""
    python: str
    """"3.13", or empty without Python."""
    rotational: bool
    """A spinning disk: random reads are slow."""
    ipv6: bool = True
    """The kernel supports IPv6. If sysctl disables it this is still true: sockets open, but nobody can connect."""
    identity: str = ""
    """/etc/machine-id: 32 hexadecimal digits that no other host has."""
    clock_offset: float = 0
    """Seconds that its clock was ahead of the operator's; negative: behind."""


class MachineState(FactBase[Machine]):
    def command(self) -> str:
        return _MEASURE

    def process(self, output: list[str]) -> Machine:
        values = dict(line.split("=", 1) for line in output)
        return Machine(
            os=values["os"],
            release=values["release"],
            architecture=values["architecture"],
            cores=int(values["cores"]),
            memory=int(float(values["memory"])),  # awk writes large numbers as 2.5e+10
            disk=int(values["disk"]),
            free=int(values["free"]),
            python=values["python"],
            rotational=values["rotational"].strip() == "1",
            identity=values.get("identity", ""),
            ipv6=values.get("ipv6") != "0",
            clock_offset=int(values["now"]) - time.time() if "now" in values else 0,
        )
