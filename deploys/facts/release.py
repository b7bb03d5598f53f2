"""The releases on a host, and whether each is complete."""

from __future__ import annotations

import shlex

from pyinfra.api.facts import FactBase

COMPLETE = "COMPLETE"
"""The file written last: a digest of what `LISTING` prints. A release with another digest is installed again."""

# Names, sizes and times, not contents: reading them all would take a plan seconds.
LISTING = f"find . ! -type d ! -path ./{COMPLETE} -printf '%P %y %s %T@ %m %l\\n' | LC_ALL=C sort | sha256sum"

# An instance may be on two lines: the second counts.
_INSTANCES = """{ systemctl list-unit-files --no-legend 'health-v1-api@*.service' | awk '{print $1, "inactive"}'
systemctl list-units --no-legend --plain 'health-v1-api@*.service' | awk '{print $1, ($3 == "failed" ? $3 : "active")}'
} 2>/dev/null | sed -nE 's/^health-v1-api@([0-9]+)[.]service /\\1 /p' || true"""


def is_intact(release: str) -> str:
    """Return a test that succeeds if the files in the folder are as installed."""
    return f'cd {shlex.quote(release)} && test "$({LISTING})" = "$(cat {COMPLETE})"'


class CompleteReleases(FactBase[list[str]]):
    """The names of the complete releases, the newest last."""

    default = list

    def command(self, releases: str) -> str:
        folder = shlex.quote(releases)
        return f"cd {folder} 2>/dev/null && ls -1tr -- */{COMPLETE} 2>/dev/null | cut -d/ -f1 || true"

    def process(self, output: list[str]) -> list[str]:
        return output


class Instances(FactBase[dict[int, str]]):
    """Port to "active", "failed" or "inactive", of the API's instances that are enabled, active or failed.

    A starting or stopping instance counts as active: those states change from moment to moment.
    """

    default = dict

    def command(self) -> str:
        return _INSTANCES

    def process(self, output: list[str]) -> dict[int, str]:
        return {int(port): state for port, state in (line.split() for line in output)}
