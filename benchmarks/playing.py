"""The Ansible playbook of five components, run by ansible-core, with and without mitogen. It needs Python 3.11."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.project import ROOT
from healthv1.sandbox.description import Host
from healthv1.sandbox.reach import on_host

HERE = Path(__file__).parent / "ansible"
VENV = ROOT / "build" / "ansible"
FILES = (
    "/opt/health-v1/.env",
    "/opt/health-v1/.env.owner",
    "/etc/nginx/sites-available/health-v1",
    "/etc/nginx/nginx.conf",
    "/etc/systemd/system/nginx.service.d/hardening.conf",
    "{cluster}/conf.d/zz-health-v1-restart.conf",
    "{cluster}/conf.d/zz-health-v1-reload.conf",
    "{cluster}/postgresql.conf",
    "{cluster}/pg_hba.conf",
    "/etc/systemd/system/postgresql@{version}-health.service.d/network.conf",
    "/etc/systemd/system/postgresql@{version}-health.service.d/hardening.conf",
)


def install() -> None:
    """Have Ansible in a folder of its own: it is no dependency of ours."""
    if sys.version_info < (3, 11):
        raise SystemExit("The benchmark needs Python 3.11: Ansible does.")
    lock, done = HERE / "requirements.lock", VENV / "installed"
    if done.exists() and done.read_bytes() == lock.read_bytes():
        return
    subprocess.run([sys.executable, "-m", "venv", "--clear", VENV], check=True)
    pip = [VENV / "bin/pip", "install", "-qq", "--disable-pip-version-check", "--require-hashes", "-r", lock]
    subprocess.run(pip, check=True)
    done.write_bytes(lock.read_bytes())


@dataclass(frozen=True)
class Playbook:
    """The playbook, for one host that healthv1 has converged."""

    folder: Path
    """Holds the inventory, and the files as they are to be. Some are secret: it is for its owner alone."""
    host: Host

    def prepare(self) -> None:
        """Take over what the host was converged to, and give it what Ansible asks of one."""
        self._must("apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qqy python3-apt")
        version = self._must("ls /etc/postgresql").strip()
        self.folder.mkdir(mode=0o700)
        for name in FILES:
            path = name.format(cluster=f"/etc/postgresql/{version}/health", version=version)
            copy = Path(f"{self.folder}/wanted{path}")
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.touch(mode=0o600)
            copy.write_text(self._must(f"cat {path}"))
        ssh = f"-o UserKnownHostsFile={self.host.known_hosts} -o GlobalKnownHostsFile=/dev/null -o IdentitiesOnly=yes"
        known = {
            "ansible_host": self.host.address,
            "ansible_user": self.host.user,
            "ansible_ssh_private_key_file": self.host.ssh_key,
            "ansible_ssh_common_args": ssh,
            "wanted": f"{self.folder}/wanted",
            "version": version,
        }
        (self.folder / "hosts.json").write_text(json.dumps({"all": {"hosts": {"host1": known}}}))

    def command(self, *arguments: str) -> tuple[str, ...]:
        return (
            str(VENV / "bin/ansible-playbook"),
            "-i",
            f"{self.folder}/hosts.json",
            *arguments,
            str(HERE / "playbook.yml"),
        )

    def run(self, *arguments: str, mitogen: bool = False) -> "Played":
        """Raises when a task failed."""
        env = environment(mitogen=mitogen)
        done = subprocess.run(self.command(*arguments), env=env, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"{done.stdout[-3000:]}{done.stderr[-3000:]}")
        return Played(tuple(_tasks(done.stdout)))

    def _must(self, command: str) -> str:
        done = on_host(self.host, f"sudo sh -c '{command}'")
        if done.returncode:
            raise RuntimeError(f"{command}: {done.stderr}")
        return done.stdout


@dataclass(frozen=True)
class Played:
    tasks: tuple[tuple[str, str], ...]
    """Each task's name and what came of it; each item of a loop counts as one."""

    @property
    def changed(self) -> list[str]:
        return [name for name, outcome in self.tasks if outcome == "changed"]


def _tasks(printed: str) -> Iterator[tuple[str, str]]:
    name = ""
    for line in printed.splitlines():
        if named := re.match(r"(?:TASK|RUNNING HANDLER) \[(.*)\] \*", line):
            name = named[1]
        elif told := re.match(r"(ok|changed|skipping): \[host1\]", line):
            yield name, told[1]


def environment(*, mitogen: bool) -> dict[str, str]:
    found = {**os.environ, "ANSIBLE_CONFIG": str(HERE / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"}
    if mitogen:
        plugins = next(VENV.glob("lib/python3*/site-packages/ansible_mitogen/plugins/strategy"))
        found |= {"ANSIBLE_STRATEGY_PLUGINS": str(plugins), "ANSIBLE_STRATEGY": "mitogen_linear"}
    return found
