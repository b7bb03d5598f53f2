"""`healthv1 secrets check`: each secret is tried by the API, on a host, on the service that it opens."""

from __future__ import annotations

import json
from typing import Any

from deploys import this_host
from deploys.environment.settings import Environment
from deploys.environment.variables import owner_variables, variables
from deploys.stack import Stack
from healthv1.commands.secrets import doctor
from healthv1.hints import with_environment
from healthv1.hosts.pyinfra_names import Host, QuoteString, StringCommand
from healthv1.hosts.session import Session, opened
from healthv1.plan.finding import Finding
from healthv1.rollout.losses import bind_secrets_unless_lost

OPENED_BY = {
    "DATABASE_URL": ("database_password", "It logs in to the database, through the pooler"),
    "MIGRATION_DATABASE_URL": ("database_owner_password", "It logs in to the database, as the owner"),
    "REDIS_URL": ("redis_password", "It logs in to Redis"),
    "JWT_SECRET": ("jwt_secret", "It signs a token and verifies it"),
    "SESSION_SECRET": ("session_secret", "The API takes it"),
    "MASTER_KEY": ("master_key", "It opens every stored data key, and wraps and unwraps another"),
    "VERIFICATION_PASSWORD": ("verification_password", "The user `verification` has it"),
}
HINT = "see what differs on the host: healthv1 plan ENV"
TIMEOUT = 60  # seconds


def check(environment: str) -> list[Finding]:
    """Try every secret on its service. Raises `Refused` when the backend cannot be read, or a host not be reached."""
    in_use = bind_secrets_unless_lost(environment)
    backend_findings = [finding for finding in doctor.findings(in_use) if finding.claim != "names"]
    with opened(environment, read_site=False) as session:
        session.refuse_faults()
        claims = try_secrets(session)
        session.refuse_faults()
    return backend_findings + claims


def try_secrets(session: Session) -> list[Finding]:
    """Return one finding per secret that opens a service. The values travel on stdin alone."""
    findings: list[Finding] = []
    first = next((host for host in session.hosts if "api" in host.groups), None)

    def try_first(host: Host) -> None:
        if host is first:
            findings.extend(_try_on_host(host))

    session.on_each(try_first)
    return [with_environment(finding, session.environment) for finding in findings]


def _try_on_host(host: Host) -> list[Finding]:
    stack, topology = this_host.settings(Stack), this_host.topology()
    environment_variables = variables(this_host.settings(Environment), stack, topology) | owner_variables(
        stack, topology
    )
    opened_values = {name: value for name, value in environment_variables.items() if name in OPENED_BY}
    command = f"cd / && runuser -u {stack.user} -- {stack.current}/venv/bin/healthv1-api secrets check"
    shell = StringCommand("sh", "-c", QuoteString(command))
    _, output = host.run_shell_command(shell, _sudo=True, _timeout=TIMEOUT, _stdin=json.dumps(opened_values))
    answers = _answers(output.stdout)
    return [
        Finding(host.name, OPENED_BY[name][0], OPENED_BY[name][1], *_judge(answers, name, output.stderr), HINT)
        for name in opened_values
    ]


def _answers(text: str) -> dict[str, Any]:
    try:
        document = json.loads(text)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def _judge(answers: dict[str, Any], name: str, complaint: str) -> tuple[bool, str]:
    if name not in answers:
        return False, complaint or "the API on this host could not try it"
    return answers[name] is None, str(answers[name] or "")
