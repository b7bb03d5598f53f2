"""Tries every component's claims on its hosts, over the session's connection, and claims about the login itself."""

from __future__ import annotations

import math

import gevent
from gevent.pool import Pool

from deploys.component import Check
from deploys.operations.claims import checks_on
from healthv1.hosts.connector import FastSSH
from healthv1.hosts.pyinfra_names import Host, QuoteString, StringCommand
from healthv1.hosts.scripts import run_read_only
from healthv1.hosts.session import Session
from healthv1.hosts.signing_in import credential_for
from healthv1.plan.finding import Finding
from healthv1.verify import batch

PARALLEL_SESSIONS = 6  # sessions per host; sshd takes ten sessions on one connection
CLAIMS_PER_SESSION = 6  # claims: another sudo takes about as long
TIMEOUT = 30  # seconds
UNANSWERED = f"no answer within {TIMEOUT} s"
SIGNED_IN = "It was opened with a certificate for this run"
HINT = "run: healthv1 apply ENV; compare the clocks of host and Vault; read: journalctl -t sshd -t sshd-session -p info"
Claim = tuple[str, Check]


def findings(session: Session) -> list[Finding]:
    """Return the findings about logins, then one per claim, in the order of hosts and claims."""
    findings_by_host: dict[str, list[Finding]] = {}

    def try_host(host: Host) -> None:
        findings_by_host[host.name] = try_claims(host, checks_on(host))

    session.on_each(try_host)
    return _certificate_findings(session) + [
        finding for host in session.hosts for finding in findings_by_host[host.name]
    ]


def _certificate_findings(session: Session) -> list[Finding]:
    """Return a finding for each host with a signed certificate: whether the login used it."""
    return [
        Finding(
            host.name,
            "sshd",
            SIGNED_IN,
            holds,
            "" if holds else "sshd refused it, and took the ordinary key",
            HINT,
        )
        for host in session.hosts
        if isinstance(host.connector, FastSSH) and credential_for(host)
        for holds in [host.connector.credential is not None]
    ]


def try_claims(host: Host, claims: list[Claim]) -> list[Finding]:
    """Try the claims in a few batches, and each without an answer again, alone."""
    count = min(PARALLEL_SESSIONS, math.ceil(len(claims) / CLAIMS_PER_SESSION))
    batches = [claims[start::count] for start in range(count)]
    greenlets = [gevent.spawn(_try_batch, host, claims_of_batch) for claims_of_batch in batches]
    gevent.joinall(greenlets, raise_error=True)
    findings = {claim: finding for greenlet in greenlets for claim, finding in greenlet.value.items()}
    pool = Pool(PARALLEL_SESSIONS)
    alone = {claim: pool.spawn(_try, host, *claim) for claim in claims if claim not in findings}
    gevent.joinall(alone.values(), raise_error=True)
    return [findings[claim] if claim in findings else alone[claim].value for claim in claims]


def _try_batch(host: Host, claims: list[Claim]) -> dict[Claim, Finding]:
    """Return the findings of those claims that were answered."""
    text, mark = batch.script([check for _, check in claims], TIMEOUT)
    command = StringCommand("sh", "-s")
    try:
        _, output = run_read_only(host, command, _sudo=True, _stdin=text, _timeout=2 * TIMEOUT)
    except TimeoutError:
        return {}
    answers = batch.answers(output.stdout_lines, mark)
    return {claim: _finding(host, claim, answers[number]) for number, claim in enumerate(claims) if number in answers}


def _finding(host: Host, claim: Claim, answer: batch.ClaimAnswer) -> Finding:
    component, check = claim
    output = [answer.output, UNANSWERED if answer.code in batch.ENDED else ""]
    evidence = "\n".join(filter(None, output)) if answer.code else ""
    return Finding(host.name, component, check.claim, not answer.code, evidence, check.hint)


def _try(host: Host, component: str, check: Check) -> Finding:
    command = StringCommand("sh", "-c", QuoteString(check.command))
    try:
        holds, output = run_read_only(host, command, _sudo=True, _timeout=TIMEOUT)
    except TimeoutError:
        return Finding(host.name, component, check.claim, False, UNANSWERED, check.hint)
    return Finding(host.name, component, check.claim, holds, "" if holds else output.output, check.hint)
