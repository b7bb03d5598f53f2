"""The same plan over a network with a round trip of 80 ms."""

from pathlib import Path

from benchmarks import project
from benchmarks.delayed import far
from benchmarks.measure import HEALTHV1, PYINFRA, SITE, Contender, Table, compared
from healthv1.sandbox import load
from healthv1.sandbox.description import Host

ROUND_TRIP = 80  # ms
ROUNDS = 3


def tables(folder: Path) -> list[Table]:
    team, host = folder / "team", load().hosts[0]
    with far(host.address, ROUND_TRIP / 2) as port:
        project.add(team, "far", [("host1", _behind(host, port, folder / "far_known_hosts"))])
        plan, apply = (*HEALTHV1, "plan", "far"), (*HEALTHV1, "apply", "far", "--yes")
        stock = (*PYINFRA, "--dry", "inventories/far.py", SITE)
        near = Contender(
            "healthv1 plan, on this machine", (*HEALTHV1, "plan", "sandbox"), "the whole stack", folder=team
        )
        quick = [
            Contender("healthv1 plan", plan, "the whole stack", folder=team),
            near,
            Contender("healthv1 apply, nothing to do", apply, "the whole stack", folder=team),
            Contender("healthv1 --version", (*HEALTHV1, "--version"), "the process's start", folder=team),
        ]
        slow = [quick[0], Contender("pyinfra --dry", stock, "the same deploys", folder=team)]
        title = f"A round trip of {ROUND_TRIP} ms"
        return [compared(title, quick, ROUNDS), compared(f"{title}, once", slow, 1)]


def _behind(host: Host, port: int, known_hosts: Path) -> dict[str, object]:
    lines = Path(host.known_hosts).read_text().splitlines()
    key = next(line.split(None, 1)[1] for line in lines if host.address in line)
    known_hosts.write_text(f"[127.0.0.1]:{port} {key}\n")
    return {
        "ssh_hostname": "127.0.0.1",
        "ssh_port": port,
        "ssh_user": host.user,
        "ssh_key": host.ssh_key,
        "ssh_known_hosts_file": str(known_hosts),
        "private_address": host.address,
    }
