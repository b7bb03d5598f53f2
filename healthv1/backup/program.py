"""Our program on a database host: calls it, and reads what it answers."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from typing import Any

from deploys.paths import BACKUP_PROGRAM
from healthv1.errors import Fault, HostError, Refused
from healthv1.hosts.pyinfra_names import Host, QuoteString, StringCommand
from healthv1.hosts.scripts import run_read_only, ssh_hosts
from healthv1.hosts.session import Session

DONE, FAILED, NOT_PROVEN = 0, 1, 3
"""Exit codes of the program."""
QUESTION = 180
"""Seconds for an answer from the repository."""
DAY = 86_400
"""Seconds: a large database takes hours."""
# The unit outlives the connection. What it finds it notes; its sentences are in the journal.
_IN_A_UNIT = (
    "systemd-run --quiet --collect --wait --unit={unit}"
    " -p Nice=10 -p IOSchedulingPriority=7 -p LimitCORE=0 -p UMask=0077"
)
_MISSING = "no-program"


@dataclass(frozen=True)
class ProgramAnswer:
    code: int
    document: Any
    """What it printed; None when it printed nothing."""
    sentences: tuple[str, ...]
    """What it said besides, a line each."""


@dataclass(frozen=True)
class BackupProgram:
    environment: str
    host: Host

    @classmethod
    def of(cls, session: Session) -> BackupProgram:
        """Return the one on the environment's database host. Raises `Refused`."""
        session.refuse_faults()
        hosts = [host for host in session.hosts if "database" in host.groups]
        if not hosts:
            what = "No host is in database."
            raise Refused(Fault(f"inventories/{session.environment}.py", what, "add the database's host"))
        if not ssh_hosts(hosts):
            raise Refused(Fault(hosts[0].name, "It is recorded, and cannot be asked.", "choose a real environment"))
        return cls(session.environment, hosts[0])

    def call(self, *words: str, timeout: int = QUESTION, unit: str = "", stdin: str = "") -> ProgramAnswer:
        """Run one command of it. Raises `HostError` when it is not there, or nothing comes back in time.

        + timeout: seconds.
        + unit: the name of a unit of its own, which goes on when the connection breaks. Then it prints nothing to us.
        + stdin: what it reads; it may be a secret.
        """
        command = f"/usr/bin/python3 -I -B {BACKUP_PROGRAM} {shlex.join(words)}"
        command = f"{_IN_A_UNIT.format(unit=unit)} {command}" if unit else command
        script = f"[ -e {BACKUP_PROGRAM} ] || {{ echo {_MISSING} >&2; exit 1; }}\n{command}\nprintf '\\n%s\\n' \"$?\""
        try:
            arguments = {"_sudo": True, "_timeout": timeout, **({"_stdin": stdin} if stdin else {})}
            _, output = run_read_only(self.host, StringCommand("sh", "-c", QuoteString(script)), **arguments)
        except TimeoutError:
            what, hint = f"No answer within {timeout} s.", "see whether the repository can be reached"
            raise HostError(Fault(self.host.name, what, hint)) from None
        if _MISSING in output.stderr_lines:
            hint = f"set backup.repository in group_data, then: healthv1 apply {self.environment}"
            raise HostError(Fault(self.host.name, "Backups are not turned on.", hint))
        *printed, code = output.stdout_lines or ["1"]
        text = "\n".join(printed).strip()
        return ProgramAnswer(int(code), json.loads(text) if text else None, tuple(output.stderr_lines))
