"""Simulated hosts: one sandbox host under many addresses replays the answers of the converged host.

Each connection is real: TCP, with its own key exchange, login and channels. Only the commands are replayed, because two
processors would have to do the work of fifty hosts.
"""

import base64
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks import project
from benchmarks.measure import Row, Table, cost
from healthv1.sandbox import Sandbox, lifecycle, load
from healthv1.sandbox.addresses import allot
from healthv1.sandbox.description import Host
from healthv1.sandbox.lifecycle import Shape
from healthv1.sandbox.reach import ssh_command

SIMULATION = Sandbox("bench-fleet")
SIZES = (1, 10, 50)
FIRST = 101  # the last part of the first simulated address
SET_UP = """set -eu
mkdir -p /var/lib/simulated
cat > /var/lib/simulated/answers.json
: > /var/lib/simulated/unknown
echo {program} | base64 -d > /var/lib/simulated/replay.py
chmod -R a+rwX /var/lib/simulated
device=$(ip -o -4 route show default | sed 's/.* dev \\([^ ]*\\).*/\\1/')
for last in $(seq {first} {last}); do ip address replace {network}.$last/24 dev "$device"; done
cat > /etc/ssh/sshd_config.d/00-simulated.conf <<'EOF'
MaxStartups 500
UsePAM no
Match LocalAddress {network}.96/27,{network}.128/25
  ForceCommand exec python3 -IS /var/lib/simulated/replay.py
EOF
usermod -p '*' {user}  # without PAM sshd takes "!" for a locked account
sshd -t
systemctl reload ssh
"""


def tables(folder: Path) -> list[Table]:
    recorded = [sys.executable, "-m", "benchmarks.recorded"]
    answers = subprocess.run(recorded, check=True, capture_output=True, text=True, cwd=project.ROOT).stdout
    try:
        host = up(answers, max(SIZES))
        hosts = inventory(host, load().hosts[0].address, max(SIZES), folder / "fleet_known_hosts")
        for size in SIZES:
            project.add(folder / "team", f"fleet{size}", hosts[:size])
        found = {size: cost("plan", f"fleet{size}", folder=folder / "team") for size in SIZES}
        if unknown(host):
            raise RuntimeError(f"Simulated hosts were asked what was not recorded:\n{unknown(host)}")
    finally:
        lifecycle.down(SIMULATION)
    one = found[min(SIZES)]["seconds"]
    rows = (
        Row(f"healthv1 plan of {size} hosts", it["seconds"], _told(it), it["seconds"] / one)
        for size, it in found.items()
    )
    return [Table("Many hosts, simulated; besides the process's start", tuple(rows))]


def _told(found: dict[str, Any]) -> str:
    rounds = max(host["rounds"] for host in found["hosts"].values())
    return f"{found['processor']:.1f} s of processor, {found['memory'] / 2**20:.0f} MiB, {rounds} rounds each"


def up(answers: str, count: int) -> Host:
    """Have so many simulated hosts answer as recorded. Returns the one host that they are."""
    host = lifecycle.up(SIMULATION, Shape()).hosts[0]
    program = base64.b64encode(Path(__file__).with_name("replay.py").read_bytes()).decode()
    script = SET_UP.format(program=program, user=host.user, first=FIRST, last=FIRST + count - 1, network=_network())
    argv = ssh_command(host, "--", f"sudo sh -c {shlex.quote(script)}")
    subprocess.run(argv, input=answers, text=True, check=True, capture_output=True)
    return host


def inventory(host: Host, private_address: str, count: int, known_hosts: Path) -> list[tuple[str, dict[str, Any]]]:
    """Return so many hosts, each of which takes itself for the recorded one."""
    key = next(
        line.split(None, 1)[1] for line in Path(host.known_hosts).read_text().splitlines() if host.address in line
    )
    addresses = [f"{_network()}.{FIRST + position}" for position in range(count)]
    known_hosts.write_text("".join(f"{address} {key}\n" for address in addresses))
    shared = {
        "ssh_user": host.user,
        "ssh_key": host.ssh_key,
        "ssh_known_hosts_file": str(known_hosts),
        "private_address": private_address,
    }
    return [(f"host{place + 1}", {"ssh_hostname": address, **shared}) for place, address in enumerate(addresses)]


def unknown(host: Host) -> str:
    """Return the questions that no answer was recorded for."""
    argv = ssh_command(host, "--", "cat /var/lib/simulated/unknown")
    return subprocess.run(argv, text=True, check=True, capture_output=True).stdout


def _network() -> str:
    return allot(SIMULATION).gateway.rpartition(".")[0]
