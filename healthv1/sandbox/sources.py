"""Where this machine gets its packages from, said for another release of the same distribution.

A sandbox has no opinion on mirrors: it uses the one that the machine was given.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from healthv1.sandbox.commands import run

APT = Path("/etc/apt")
_CARRIED = ("Acquire::http", "Acquire::https", "Acquire::Check-", "Acquire::Retries")


def lines(suite: str, apt: Path = APT, release: Path = Path("/etc/os-release")) -> list[str]:
    """Return one-line sources for `suite`; none on a machine of another distribution (mmdebstrap then has its own)."""
    words = dict(re.findall(r'^(\w+)="?([^"\n]*)', release.read_text(encoding="utf-8"), re.MULTILINE))
    if words.get("ID") != "debian":
        return []
    own = words["VERSION_CODENAME"]
    sources = (_for_suite(line, own, suite) for line in _one_line(apt))
    return list(dict.fromkeys(line for line in sources if line))


def options() -> list[str]:
    """Return how this machine's apt reaches its mirrors (a proxy, say), as lines of apt.conf."""
    dump = run("apt-config", "dump").splitlines()
    return [line for line in dump if line.startswith(_CARRIED) and not line.endswith('"";')]


def _one_line(apt: Path) -> Iterator[str]:
    for path in [apt / "sources.list", *sorted(apt.glob("sources.list.d/*.list"))]:
        if path.exists():
            text = path.read_text(encoding="utf-8")
            yield from (line.strip() for line in text.splitlines() if line.startswith("deb "))
    for path in sorted(apt.glob("sources.list.d/*.sources")):
        for stanza in re.split(r"\n\s*\n", path.read_text(encoding="utf-8")):
            yield from _from_stanza(stanza)


def _from_stanza(stanza: str) -> Iterator[str]:
    """Read one stanza of deb822 format. See sources.list(5)."""
    fields = {key.lower(): value.strip() for key, value in re.findall(r"^([\w-]+):(.*)$", stanza, re.MULTILINE)}
    if "deb" not in fields.get("types", "").split() or fields.get("enabled", "yes").lower() == "no":
        return
    signed = f"[signed-by={fields['signed-by']}] " if fields.get("signed-by") else ""
    for uri in fields.get("uris", "").split():
        for suite in fields.get("suites", "").split():
            yield f"deb {signed}{uri} {suite} {fields.get('components', '')}".strip()


def _for_suite(line: str, own: str, suite: str) -> str | None:
    # The distribution's own archives have a component main; what others publish is none of a fresh server's.
    match = re.fullmatch(rf"(deb (?:\[[^]]*\] )?\S+) {re.escape(own)}(-security|-updates)? (.*\bmain\b.*)", line)
    return f"{match[1]} {suite}{match[2] or ''} {match[3]}" if match else None
