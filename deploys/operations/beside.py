"""A service of ours takes a vacant place: what is in its way is refused, and the mark is set before the thing."""

from __future__ import annotations

from pyinfra.api.command import QuoteString, StringCommand
from pyinfra.api.operation import operation
from pyinfra.context import host

from deploys.beside import as_foreign
from deploys.facts.beside import ServiceConflicts
from deploys.facts.marks import Marks
from deploys.operations.change import Change, Commands
from deploys.operations.forecast import forecast
from deploys.operations.foreign import refuse_foreign
from deploys.paths import MARKS

_CLAIM = """set -eu; found=$(sh -c "$1" 2>/dev/null || true)
[ -z "$found" ] || { printf 'since the plan this came into the way:\\n%s\\n' "$found" >&2; exit 1; }
sh -c "set -eu; $2\""""


@operation()
def mark_service(mark: str, unit: str, survey: str, setting: str, claim: str) -> Commands:
    """Have a service of our own marked as ours. Raises `Refused` with what is in its way, at every apply.

    + mark, unit: the mark, and its text: the unit's name, without .service.
    + survey: shell that prints what is in the way.
    + setting: the one that gives it another port.
    + claim: shell that sets the marks.
    """
    conflicts = host.get_fact(ServiceConflicts, survey=survey)
    refuse_foreign(as_foreign(conflicts, f"{unit}.service", setting))
    if host.get_fact(Marks).get(mark) == unit:
        host.noop(f"{unit} is ours")
        return
    forecast().announce(Change("mark", f"{MARKS}/{mark}", "create", "nobody has a unit of that name", becomes=unit))
    yield StringCommand("sh", "-c", QuoteString(_CLAIM), "claim", QuoteString(survey), QuoteString(claim))
