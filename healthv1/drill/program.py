"""What a host's backup program is asked about drills."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from deploys.component import Settings
from deploys.operations.claims import checks_on
from deploys.paths import BACKUP_PROGRAM
from healthv1.errors import Fault, HostError
from healthv1.hosts.pyinfra_names import Host
from healthv1.hosts.scripts import run_program
from healthv1.hosts.session import Session

TIMEOUT = 120.0  # seconds
CLAIMS = f"{BACKUP_PROGRAM} claim "
"""In the command of each claim that the program tells of."""


def can_drill(host: Host) -> bool:
    """Whether the site that was read gives a host the program, by a timer or on request, and a key that signs."""
    return any(CLAIMS in check.command for _, check in checks_on(host))


def is_backed_up(host: Host) -> bool:
    """Whether the settings of a host name a repository."""
    settings = host.data.get("backup")
    return "database" in host.groups and isinstance(settings, Settings) and bool(getattr(settings, "repository", None))


def of_drills(hosts: Sequence[Host]) -> list[Host]:
    """Return the hosts that restore backups: those for drills, where there are any, or those with the database."""
    backed_up = [host for host in hosts if is_backed_up(host)]
    return [host for host in hosts if "drill" in host.groups and "database" not in host.groups] or backed_up


def ask(session: Session, host: Host, *words: str, stdin: str = "") -> Any:
    """Return what the program answered. Raises `HostError` with what it said instead."""
    argv = ("/usr/bin/python3", "-I", "-B", BACKUP_PROGRAM, *words)
    done = run_program(host, argv, TIMEOUT, stdin)
    if not done.succeeded:
        missing = "can't open file" in done.errors or "can't find '__main__'" in done.errors
        apply = f"healthv1 apply {session.environment}"
        what = "No backups were turned on there yet." if missing else f"{_sentence(done.errors)}"
        raise HostError(Fault(host.name, what, apply if missing or "invalid choice" in done.errors else ""))
    return json.loads(done.output)


def _sentence(errors: str) -> str:
    lines = [line.strip() for line in errors.splitlines() if line.strip()]
    text = lines[-1].rstrip(".") if lines else "It did not say why"
    return f"{text[0].upper()}{text[1:]}."
