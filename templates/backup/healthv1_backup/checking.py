"""Tries what backups depend on, now: each repository, and the way of a WAL segment into it."""

from __future__ import annotations

import time
from typing import Any

from healthv1_backup import claims, repository
from healthv1_backup.processes import Failed, pgbackrest
from healthv1_backup.settings import Settings

PUSH = 150
"""Seconds: pgBackRest waits for a segment for archive-timeout, and for minutes where a repository does not answer."""
CLAIMS = {
    "proven": (
        "Every backup, and all WAL from the oldest one to now, was read back without a fault",
        "run: healthv1 backup verify ENV",
    ),
    "recent": ("The newest backup is as young as the timers have it", "run: healthv1 backup now ENV"),
    "archived": ("WAL is archived continuously", "read there: journalctl -u 'postgresql@*' -n 50"),
    "canary": ("The canary's database has a row for each minute", "read there: journalctl -u health-v1-backup-watch"),
    "room": ("The disk has room for WAL that waits, and its reserve is there", "make room on it"),
}


def check(settings: Settings) -> list[dict[str, Any]]:
    """Return what was tried, whether it holds, and why not."""
    findings = [_readable(settings, number) for number in range(1, len(settings.repositories) + 1)]
    findings.append(_pushes(settings))
    for name, (claim, hint) in CLAIMS.items():
        why = claims.failing(name, settings)
        findings.append(_finding(claim, "\n".join(why), hint))
    return findings


def _readable(settings: Settings, number: int) -> dict[str, Any]:
    claim = f"Repository {number} ({settings.repositories[number - 1]}) answers, and our passphrase opens it"
    try:
        repository.backups(settings, number)
    except Failed as error:
        return _finding(claim, str(error), "see its address, its keys and the passphrase: healthv1 secrets doctor ENV")
    return _finding(claim, "", "")


def _pushes(settings: Settings) -> dict[str, Any]:
    began = time.monotonic()
    ended = pgbackrest(settings, "check", timeout=PUSH)
    claim = "A WAL segment that is finished now arrives in every repository"
    took = time.monotonic() - began
    return _finding(claim, f"{ended.why} (after {took:.0f} s)" if ended.code else "", "see what the repository says")


def _finding(claim: str, evidence: str, hint: str) -> dict[str, Any]:
    return {"claim": claim, "holds": not evidence, "evidence": evidence, "hint": hint}
