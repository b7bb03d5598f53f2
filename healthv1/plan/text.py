"""A plan on a terminal, or in a log: what repeats is said once, what is long is folded and says how long it is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from deploys.operations.change import Change
from healthv1.output.escaping import readable
from healthv1.plan.data import Plan
from healthv1.plan.redacting import redacted
from healthv1.plan.sections import sections
from healthv1.plan.words import counted, diff_lines, headline, mark, placing_lines, total, value

LONG = 20
"""Lines of a diff; more are folded. A created file is folded whole. Lines that decide where data lie never are."""
_COLOURS = {"+": "green", "-": "red", "~": "yellow", "@": "cyan"}


class TextLine(NamedTuple):
    text: str
    colour: str | None = None
    bold: bool = False


def lines(plan: Plan, *, full: bool = False) -> Iterator[TextLine]:
    """Yield what people read. Colours help, and nothing is lost without them."""
    plan, folded = redacted(plan), False
    for section in sections(plan.steps):
        yield TextLine(readable(f"{', '.join(section.hosts)} · {section.stage}"), bold=True)
        for component in section.components:
            yield TextLine(f"  {readable(component.name)}")
            for change in component.changes:
                yield from _change_lines(change, full=full)
                folded = folded or (not full and _is_folded(change))
    if folded:
        yield TextLine("With --full, plan and show print created files and long diffs whole.")
    yield from _left_lines(plan)
    yield from _warning_lines(plan)
    yield TextLine(total(plan), bold=True)


def _left_lines(plan: Plan) -> Iterator[TextLine]:
    if plan.left:
        yield TextLine("Left behind, and not touched by an apply:", "yellow", bold=True)
    for left in plan.left:
        yield TextLine(f"  {readable(left.what)}", "yellow")
        yield TextLine(f"    {readable(left.way_out)}")


def _warning_lines(plan: Plan) -> Iterator[TextLine]:
    for warning in plan.warnings:
        yield TextLine(f"Warning: {readable(warning.where)}: {readable(warning.what)}", "yellow", bold=True)
        yield TextLine(f"Hint:    {readable(warning.hint)}")


def change_line(change: Change) -> str:
    """Return one line: what is done to what, what was and becomes, and why."""
    parts = [f"{mark(change)} {headline(change)}", value(change), f"({readable(change.why)})" if change.why else ""]
    return "  ".join(part for part in parts if part)


def _change_lines(change: Change, *, full: bool) -> Iterator[TextLine]:
    diff = diff_lines(change)
    length = f"  {counted(len(diff), 'line')}" if change.action == "create" and diff else ""
    yield TextLine(f"    {change_line(change)}{length}", _COLOURS[mark(change)])
    if change.effect:
        yield TextLine(f"        effect: {readable(change.effect)}")
    shown, hidden = (diff, 0) if full else _folded(change, diff)
    yield from (TextLine(f"        {line}", _COLOURS.get(line[:1])) for line in shown)
    if hidden and change.action != "create":
        yield TextLine(f"        … {counted(hidden, 'more line')}")


def _is_folded(change: Change) -> bool:
    return _folded(change, diff_lines(change))[1] > 0


def _folded(change: Change, diff: list[str]) -> tuple[list[str], int]:
    """Return the lines that are shown, and how many are not."""
    length = 0 if change.action == "create" else LONG
    shown = diff[:length] + placing_lines(diff[length:])
    return shown, len(diff) - len(shown)
