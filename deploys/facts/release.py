"""Which releases are on a host, and which of them is whole."""

from __future__ import annotations

import shlex

from pyinfra.api.facts import FactBase

COMPLETE = "COMPLETE"
"""The file that is written last, a digest of what `LISTED` prints: a release of which it is not true is made again."""

# Names, sizes and times, not contents: a plan would take seconds to read them all.
LISTED = f"find . ! -type d ! -path ./{COMPLETE} -printf '%P %y %s %T@ %m %l\\n' | LC_ALL=C sort | sha256sum"


def intact(release: str) -> str:
    """Return a test that succeeds when the files in the folder are those that were installed."""
    return f'cd {shlex.quote(release)} && test "$({LISTED})" = "$(cat {COMPLETE})"'


class WholeReleases(FactBase[list[str]]):
    """The names of the complete releases, the newest last."""

    default = list

    def command(self, releases: str) -> str:
        at = shlex.quote(releases)
        return f"cd {at} 2>/dev/null && ls -1tr -- */{COMPLETE} 2>/dev/null | cut -d/ -f1 || true"

    def process(self, output: list[str]) -> list[str]:
        return output


class EnabledInstances(FactBase[list[int]]):
    """The ports of all instances of the API that are enabled or running."""

    default = list

    def command(self) -> str:
        return (
            "{ systemctl list-unit-files --no-legend 'health-v1-api@*.service';"
            " systemctl list-units --all --no-legend --plain 'health-v1-api@*.service'; } 2>/dev/null"
            " | grep -oE '^health-v1-api@[0-9]+' | cut -d@ -f2 | sort -un || true"
        )

    def process(self, output: list[str]) -> list[int]:
        return [int(line) for line in output]
