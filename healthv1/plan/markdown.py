"""A plan as the comment on a merge request: found again by its first line, within a limit, and inert.

Text of a host or a file stands in code, where HTML, mentions and mark-up have no effect: in a code span or a fence
that is longer than any run of backticks within, or escaped in a <summary>, which is HTML alone.
"""

from __future__ import annotations

import html
import re
from collections import Counter
from collections.abc import Iterator

from deploys.operations.change import Change
from healthv1.errors import Fault
from healthv1.output.escaping import readable
from healthv1.plan.data import Plan
from healthv1.plan.left import Left
from healthv1.plan.pieces import Piece, fold
from healthv1.plan.redacting import redacted
from healthv1.plan.sections import Component, Section, sections
from healthv1.plan.text import change_line
from healthv1.plan.words import counted, diff_lines, placing_lines, total

LIMIT = 65_000
"""Characters. GitHub takes 65 536 (GitLab takes a million)."""
SHORTEST = 10_000
"""A limit below this could not be kept: names that are cut, too, take their place."""
_KINDS = ("diff", "component", "section", "leaver", "fault")
_WIDEST = 300
"""Characters of a name outside of a fence."""
_PLACES = 20
"""Lines that decide where data lie, with the names of their files."""


def document(plan: Plan, limit: int = LIMIT) -> str:
    plan = redacted(plan)
    head, foot = _head(plan), _foot(plan)
    room = limit - len(head) - len(foot) - 2 * _WIDEST  # for the note about omitted sections
    pieces = [*map(_warning_piece, plan.warnings), *_places_piece(plan), *map(_fault_piece, plan.faults)]
    pieces += [*map(_leaver_piece, plan.left), *map(_section_piece, sections(plan.steps))]
    fold(pieces, _KINDS, room)
    kept = list(_fitting(pieces, room))
    return head + "".join(kept) + _left_out(plan, pieces, more=len(pieces) - len(kept)) + foot


def _head(plan: Plan) -> str:
    return f"<!-- healthv1 plan {_plain(plan.environment)} -->\n**{_sentence(total(plan)[:_WIDEST])}**\n\n"


def _foot(plan: Plan) -> str:
    provenance = {
        "environment": plan.environment,
        "revision": plan.revision,
        "made": plan.made,
        "healthv1": plan.toolkit,
    }
    return " · ".join(f"{name} {_span(text)}" for name, text in provenance.items() if text) + "\n"


def _places_piece(plan: Plan) -> Iterator[Piece]:
    """Yield the lines that decide where data lie: at the top, because the rest is folded and may be left out."""
    changes = dict.fromkeys(change for step in plan.steps for change in step.changes)
    lines_by_target = {change.target: lines for change in changes if (lines := placing_lines(diff_lines(change)))}
    lines = [_short(line) for target, placed in lines_by_target.items() for line in (target, *placed)]
    if lines:
        more = [f"… {counted(len(lines) - _PLACES, 'more line')}"] if len(lines) > _PLACES else []
        yield Piece(f"Lines that decide where data lie:\n\n{_fenced([*lines[:_PLACES], *more], 'diff')}")


def _fault_piece(fault: Fault) -> Piece:
    text = f"{fault.where}: {fault.what}" + (f"\nHint: {fault.hint}" if fault.hint else "")
    lines = [readable(line) for line in text.split("\n")]
    return Piece(f"Error:\n\n{_fenced(lines, 'text')}", f"Error at {_span(fault.where)}, left out\n\n", "fault")


def _warning_piece(warning: Fault) -> Piece:
    lines = [readable(f"{warning.where}: {warning.what}"), readable(f"Hint: {warning.hint}")]
    return Piece(
        f"Warning:\n\n{_fenced(lines, 'text')}", f"A warning about {_span(warning.where)}, left out\n\n", "fault"
    )


def _leaver_piece(left: Left) -> Piece:
    lines = [readable(line) for line in (left.what, left.way_out)]
    instead = f"{_span(left.host)} left, and what it had is left out here\n\n"
    return Piece(f"Left behind:\n\n{_fenced(lines, 'text')}", instead, "leaver")


def _section_piece(section: Section) -> Piece:
    names, changes = ", ".join(section.hosts), counted(section.changes, "change")
    return Piece(
        f"<details><summary>{_tagged(names)} · {_tagged(section.stage)}: {changes}</summary>\n\n",
        f"{_span(names)} · {_span(section.stage)}: {changes}, left out\n\n",
        "section",
        [_component_piece(component) for component in section.components],
        "</details>\n\n",
    )


def _component_piece(component: Component) -> Piece:
    name, changes = _span(component.name), component.changes
    lines = [line for change in changes for line in _change_lines(change)]
    instead = f"{name}: {counted(len(changes), 'change')}, left out\n\n"
    diffs = [_diff_piece(change) for change in changes if change.diff]
    return Piece(f"{name}\n\n{_fenced(lines, 'diff')}", instead, "component", diffs)


def _change_lines(change: Change) -> list[str]:
    return [change_line(change)] + ([f"    effect: {readable(change.effect)}"] if change.effect else [])


def _diff_piece(change: Change) -> Piece:
    lines = diff_lines(change)
    length = counted(len(lines), "line")
    text = f"<details><summary>{_tagged(change.target)}, {length}</summary>\n\n{_fenced(lines, 'diff')}</details>\n\n"
    return Piece(text, f"{_span(change.target)}, {length}, left out\n\n", "diff")


def _fenced(lines: list[str], language: str) -> str:
    text = "\n".join(lines)
    fence = "`" * max(3, _longest_run(text) + 1)
    return f"{fence}{language}\n{text}\n{fence}\n\n"


def _span(text: str) -> str:
    shown = _short(text)
    quote = "`" * (_longest_run(shown) + 1)
    return f"{quote} {shown} {quote}" if shown[:1] == "`" or shown[-1:] == "`" else f"{quote}{shown or '-'}{quote}"


def _longest_run(text: str) -> int:
    return max(map(len, re.findall("`+", text)), default=0)


def _tagged(text: str) -> str:
    return f"<code>{html.escape(_short(text))}</code>"


def _sentence(text: str) -> str:
    """Return what of `text` stays when it is read as Markdown; an entity would still name somebody."""
    return re.sub(r"[^\w ,:().]|_|\.(?!\Z)", "?", text)


def _short(text: str) -> str:
    shown = readable(text)
    return shown if len(shown) <= _WIDEST else f"{shown[:_WIDEST]}…"


def _plain(environment: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]|--+", "_", environment)[:_WIDEST]


def _fitting(pieces: list[Piece], room: int) -> Iterator[str]:
    """Yield the pieces up to the first that does not fit: there may be more than their folded lines have place for."""
    for piece in pieces:
        room -= piece.size
        if room < 0:
            return
        yield str(piece)


def _left_out(plan: Plan, pieces: list[Piece], *, more: int) -> str:
    folded = Counter(part.kind for piece in pieces for part in piece.walk() if part.folded)
    summary = [counted(folded[kind], kind) for kind in _KINDS if folded[kind]]
    summary += [f"all of {counted(more, 'more section')}"] * (more > 0)
    if not summary:
        return ""
    command = f"healthv1 plan {_plain(plan.environment)} --full"
    return f"Left out to stay short: {', '.join(summary)}. `{command}` shows all.\n\n"
