"""Taken down: units at rest for good, and files gone with whatever a killed run left of them. Each twice is once."""

from __future__ import annotations

import shlex

from pyinfra.api.command import QuoteString, StringCommand
from pyinfra.api.operation import operation
from pyinfra.context import host

from deploys.facts.probe import Succeeds
from deploys.facts.unit import UnitState
from deploys.operations.change import Change, Commands
from deploys.operations.forecast import forecast

SECRET_REASON = "a secret of ours is in it"  # noqa: S105 - a sentence
STOPPED_STATES = {"inactive", "failed"}

# A write that was killed leaves its temporary file beside the target, with all that is in it.
_FIND_REMAINS = """remains() { for one in "$1" "$1.new" "$(dirname -- "$1")"/.healthv1.????????; do
  if [ -e "$one" ] || [ -L "$one" ]; then printf '%s\\n' "$one"; fi; done; }"""
_REMOVE = f"""set -eu; {_FIND_REMAINS}
remains "$1" | while IFS= read -r one; do rm -rf -- "$one"; done
[ -z "$(remains "$1")" ]"""


@operation()
def stop_unit(unit: str, effect: str) -> Commands:
    """Have `unit` neither running nor started with the host."""
    state = host.get_fact(UnitState, unit=unit, restart_on=(), reload_on=())
    if state.state in STOPPED_STATES and not state.enabled:
        host.noop(f"{unit} is at rest")
        return
    forecast().announce(
        Change(
            "unit",
            unit,
            "stop",
            "the host does not play this part any more",
            was=state.state,
            becomes="inactive",
            effect=effect,
        )
    )
    name = QuoteString(unit)
    yield StringCommand("systemctl", "daemon-reload")  # what a generator enabled it for may be gone
    yield StringCommand("systemctl", "disable", "--now", "--quiet", "--", name)
    yield StringCommand("systemctl", "reset-failed", "--", name, "2>/dev/null", "||", "true")


@operation()
def remove_path(path: str, kind: str = "file", why: str = SECRET_REASON) -> Commands:
    """Have nothing at `path`, nor what a killed write left beside it."""
    if host.get_fact(Succeeds, test=f'{_FIND_REMAINS}\ntest -z "$(remains {shlex.quote(path)})"'):
        host.noop(f"nothing is at {path}")
        return
    forecast().announce(Change(kind, path, "remove", why))
    yield StringCommand("sh", "-c", QuoteString(_REMOVE), "remove", QuoteString(path))
