"""What opened each host for this run, where the team wants it to be a certificate."""

from __future__ import annotations

from healthv1.engine.connector import FastSSH
from healthv1.engine.session import Session
from healthv1.engine.signing_in import credential_for
from healthv1.verify.finding import Finding

CLAIM = "It was opened with a certificate for this run"
HINT = "run: healthv1 apply ENV; compare the clocks of host and Vault; read: journalctl -t sshd -t sshd-session -p info"


def findings(session: Session) -> list[Finding]:
    return [
        Finding(host.name, "sshd", CLAIM, holds, "" if holds else "sshd refused it, and took the ordinary key", HINT)
        for host in session.hosts
        if isinstance(host.connector, FastSSH) and credential_for(host)
        for holds in [host.connector.credential is not None]
    ]
