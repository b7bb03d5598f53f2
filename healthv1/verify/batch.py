"""Many claims in one SSH session: each has its own exit code and timeout, and its output is split by a mark.

A claim without a certain answer is left out: it may have ended the shell that runs them.
"""

from __future__ import annotations

import secrets
import shlex
from collections.abc import Iterable
from dataclasses import dataclass

from deploys.component import Check

OUTPUT = 4000  # the last bytes of a claim's output
ENDED = (124, 137)
"""Exit codes of timeout(1) when it ended, or killed, its command."""

# `timeout` gives a claim a process group of its own: whatever it kills there, the others go on.
# The first line is a blank one of ours, or what `tail -c` cut in two, perhaps within a letter.
_CLAIM = """claim() {
  { echo; timeout --kill-after=2 %(seconds)s sh -c "$2" 2>&1 </dev/null
    printf '\\n%%s %%s %%s\\n' %(mark)s "$1" "$?"; } | tail -c %(output)s | tail -n +2
}
"""


@dataclass(frozen=True)
class ClaimAnswer:
    code: int
    output: str


def script(checks: list[Check], seconds: int) -> tuple[str, str]:
    """Return a script for `sh`, and the mark that no claim can print: it stands in no argument and no environment."""
    mark = secrets.token_hex(16)
    claims = (f"claim {number} {shlex.quote(check.command)}" for number, check in enumerate(checks))
    return _CLAIM % {"seconds": seconds, "mark": mark, "output": OUTPUT} + "\n".join(claims), mark


def answers(lines: Iterable[str], mark: str) -> dict[int, ClaimAnswer]:
    """Return the answers by the claims' number. A missing one may have ended together with its shell."""
    answers_by_number: dict[int, ClaimAnswer] = {}
    output: list[str] = []
    for line in lines:
        if not line.startswith(f"{mark} "):
            output.append(line)
            continue
        number, code = line.split()[1:]
        answers_by_number[int(number)] = ClaimAnswer(int(code), "\n".join(output).rstrip("\n"))
        output = []
    return answers_by_number
