"""A plan, an apply without changes, and the repair of five drifts: beside stock pyinfra and Ansible, on one host.

The playbook proves itself before any timing: it changes nothing on a host converged by healthv1, it reverts changes
by hand, and healthv1 then finds nothing to change either.
"""

import json
import subprocess
from pathlib import Path

from benchmarks import playing
from benchmarks.measure import HEALTHV1, PYINFRA, ROOT, SITE, Contender, Table, compared, cost
from benchmarks.playing import Playbook
from healthv1.sandbox import load
from healthv1.sandbox.reach import on_host

ROUNDS = 3
DRIFTS = {
    "user": "usermod --shell /bin/sh health-v1",
    "environment": "chmod 0644 /opt/health-v1/.env",
    "nginx": "echo \\# edited >> /etc/nginx/nginx.conf",
    "postgresql": 'cd /; runuser -u postgres -- psql -qc "alter system set work_mem = 1024"',
    "units": "systemctl disable --quiet health-v1-pgbouncer.service",
}
MENDED = {
    "Create the deployment account",
    "Write .env",
    "Write nginx.conf",
    "Take it back",
    "Run everything else",
    "Reload nginx",
    "Reload PostgreSQL",
    "Restart the API",
}
"""What the playbook changes of a host with these drifts, and does as their consequence."""


def tables(folder: Path) -> list[Table]:
    playing.install()
    playbook = Playbook(folder / "ansible", load().hosts[0])
    playbook.prepare()
    prove(playbook)
    tasks = f"{len(playbook.run('--check').tasks)} tasks: five components"
    return [_looking(playbook, tasks), _nothing_to_do(playbook, tasks), _mending(playbook, tasks)]


def prove(playbook: Playbook) -> None:
    """Raise unless the playbook converges the host to what healthv1 does, with mitogen and without."""
    for mitogen in (False, True):
        _expect(playbook.run(mitogen=mitogen).changed, set(), "the playbook changed a host that healthv1 had converged")
        drift()
        changed = playbook.run(mitogen=mitogen).changed
        _expect(changed, MENDED, "the playbook did not mend what was changed by hand")
        _expect(_left(), set(), "healthv1 found more to do after the playbook")
        _settle()


def drift() -> None:
    done = on_host(load().hosts[0], f"sudo sh -c '{'; '.join(DRIFTS.values())}'")
    if done.returncode:
        raise RuntimeError(f"The host cannot be changed by hand: {done.stderr}")


def _left() -> set[str]:
    """Return what a plan would change, but for services to take up a file: who wrote it does not tell healthv1."""
    steps = json.loads(_must("plan", "sandbox", "--json", ends=(0, 2)))["steps"]
    changes = [change for step in steps for change in step["changes"]]
    return {
        f"{change['action']} {change['target']}" for change in changes if not change["why"].startswith("to take up")
    }


def _expect(found: object, wanted: set[str], what: str) -> None:
    if set(found) != wanted:
        raise RuntimeError(f"No figures: {what}. Found {sorted(found)}, expected {sorted(wanted)}.")


def _must(*arguments: str, ends: tuple[int, ...] = (0,)) -> str:
    done = subprocess.run((*HEALTHV1, *arguments), cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode not in ends:
        raise RuntimeError(f"healthv1 {' '.join(arguments)}: {done.stdout}{done.stderr}")
    return done.stdout


def _ansible(playbook: Playbook, tasks: str, *arguments: str) -> list[Contender]:
    argv = playbook.command(*arguments)
    words = " ".join(("ansible-playbook", *arguments))
    return [
        Contender(words, argv, tasks, playing.environment(mitogen=False)),
        Contender(f"{words}, mitogen", argv, tasks, playing.environment(mitogen=True)),
    ]


def _looking(playbook: Playbook, tasks: str) -> Table:
    whole = f"{operations()} operations: the whole stack"
    contenders = [
        Contender("healthv1 plan", (*HEALTHV1, "plan", "sandbox"), whole),
        Contender("healthv1 --version", (*HEALTHV1, "--version"), "the process's start"),
        Contender("pyinfra --dry", (*PYINFRA, "--dry", "inventories/sandbox.py", SITE), "the same deploys"),
        *_ansible(playbook, tasks, "--check", "--diff"),
    ]
    return compared("What would change? (nothing)", contenders, ROUNDS, _counted("plan", "sandbox"))


def _nothing_to_do(playbook: Playbook, tasks: str) -> Table:
    contenders = [
        Contender("healthv1 apply", (*HEALTHV1, "apply", "sandbox", "--yes"), f"{operations()} operations"),
        Contender("pyinfra -y", (*PYINFRA, "-y", "inventories/sandbox.py", SITE), "the same deploys"),
        *_ansible(playbook, tasks),
    ]
    return compared("Apply, with nothing to do", contenders, ROUNDS, _counted("apply", "sandbox", "--yes"))


def _mending(playbook: Playbook, tasks: str) -> Table:
    contenders = [
        Contender("healthv1 apply", (*HEALTHV1, "apply", "sandbox", "--yes"), "plans, asks again, applies"),
        Contender("pyinfra -y", (*PYINFRA, "-y", "inventories/sandbox.py", SITE), "the same deploys"),
        *_ansible(playbook, tasks),
    ]
    return compared("Apply, five drifts to mend", contenders, 1, before=drift, after=_settle)


def _settle() -> None:
    """Note on the host that services have taken up what somebody else wrote."""
    _must("apply", "sandbox", "--yes")


def _counted(*arguments: str) -> str:
    found = cost(*arguments)
    count = found["hosts"]["host1"]
    asked = f"{count['channels']} SSH channels in {count['rounds']} rounds"
    return f"healthv1 {arguments[0]}: {asked}, {found['seconds']:.2f} s besides the process's start"


def operations() -> int:
    return int(json.loads(_must("plan", "sandbox", "--json", ends=(0, 2)))["considered"])
