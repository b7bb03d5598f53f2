"""Which releases are on a host, and which of them is whole."""

from __future__ import annotations

import shlex

from pyinfra.api.facts import FactBase

COMPLETE = "COMPLETE"
"""The file written last: a digest of what `LISTING` prints. A release with another digest is installed again."""

# Names, sizes and times, not contents: a plan would take seconds to read them all.
LISTING = f"find . ! -type d ! -path ./{COMPLETE} -printf '%P %y %s %T@ %m %l\\n' | LC_ALL=C sort | sha256sum"

# Of the same instance, the second line counts.
_INSTANCES = """{ systemctl list-unit-files --no-legend 'health-v1-api@*.service' | awk '{print $1, "inactive"}'
systemctl list-units --no-legend --plain 'health-v1-api@*.service' | awk '{print $1, ($3 == "failed" ? $3 : "active")}'
} 2>/dev/null | sed -nE 's/^health-v1-api@([0-9]+)[.]service /\\1 /p' || true"""


def is_intact(release: str) -> str:
    """Return a test that succeeds when the files in the folder are those that were installed."""
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
    """Port to "active", "failed" or "inactive", of the API's instances that are enabled or not at rest.

    One that is on its way up or down is active: where it is on its way changes from moment to moment.
    """

    default = dict

    def command(self) -> str:
        return _INSTANCES

    def process(self, output: list[str]) -> dict[int, str]:
        return {int(port): state for port, state in (line.split() for line in output)}
