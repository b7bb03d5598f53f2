"""The words of a plan, for every form. Text of a host is escaped."""

from __future__ import annotations

import re
from collections import Counter

from deploys.operations.change import Change
from healthv1.output.escaping import readable
from healthv1.plan.data import Plan

MARKS = {
    **dict.fromkeys(("create", "install", "generate"), "+"),
    **dict.fromkeys(("remove", "stop", "disable"), "-"),
}
_ORDER = ("create", "install", "generate", "update", "configure", "reset", "remove", "enable", "start", "stop")
_LAST = ("reload", "restart")
# Of PostgreSQL and Redis: what is served after a restart, and what is not, follows from these.
_PLACES = ("data_directory", "dir", "dbfilename", "appendonly", "appenddirname", "appendfilename")
_PLACING = re.compile(rf"[+-]\s*({'|'.join(_PLACES)})[\s=]", re.IGNORECASE)


def mark(change: Change) -> str:
    return MARKS.get(change.action, "~")


def headline(change: Change) -> str:
    return readable(f"{change.action} {change.kind} {change.target}")


def value(change: Change) -> str:
    """Return what was and what becomes, as far as it is said."""
    parts = dict.fromkeys(part for part in (change.was, change.becomes) if part)
    return readable(" → ".join(parts))


def total(plan: Plan) -> str:
    if not plan.hosts:
        return "No host could be planned."
    hosts = counted(len(plan.hosts), "host")
    if not plan.steps:
        return f"Nothing to do: {counted(plan.considered, 'operation')} on {hosts}, all as they should be."
    touched = len({step.host for step in plan.steps})
    of = "" if touched == len(plan.hosts) else f"{touched} of "
    actions = ", ".join(f"{number} to {readable(action)}" for action, number in tally(plan).items())
    return f"Plan: {actions} on {of}{hosts} (of {counted(plan.considered, 'operation')})."


def tally(plan: Plan) -> dict[str, int]:
    """Return how many changes there are of each action; what interrupts comes last."""
    counts = Counter(change.action for step in plan.steps for change in step.changes)
    return {action: counts[action] for action in sorted(counts, key=_rank)}


def _rank(action: str) -> tuple[int, str]:
    if action in _LAST:
        return len(_ORDER) + 1 + _LAST.index(action), action
    return _ORDER.index(action) if action in _ORDER else len(_ORDER), action


def counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' * (number != 1)}"


def diff_lines(change: Change) -> list[str]:
    """Return the lines of the diff without those that repeat the path; of a created file, its content."""
    lines = [readable(line) for line in change.diff.split("\n")] if change.diff else []
    if lines[:1] and lines[0].startswith("---"):
        lines = lines[2:]
    return lines[1:] if change.action == "create" and lines[:1] and lines[0].startswith("@@") else lines


def placing_lines(lines: list[str]) -> list[str]:
    """Return the lines of a diff that decide where data lie: in no form of a plan are they folded away."""
    return [line for line in lines if _PLACING.match(line)]
