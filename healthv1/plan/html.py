"""A plan as one page for people who would rather look: it fetches nothing, runs nothing, and works by keyboard."""

from __future__ import annotations

import base64
import hashlib
from functools import cache

import jinja2
from markupsafe import Markup

from healthv1.output.escaping import readable
from healthv1.plan.data import Plan
from healthv1.plan.redacting import redacted
from healthv1.plan.sections import sections
from healthv1.plan.words import counted, diff_lines, headline, mark, placing_lines, tally, total, value

_pages = jinja2.Environment(
    loader=jinja2.PackageLoader("healthv1.plan", "page"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_pages.filters |= {
    "readable": readable,
    "headline": headline,
    "value": value,
    "mark": mark,
    "diff_lines": diff_lines,
    "counted": counted,
    "placing": placing_lines,
}
_KINDS = {"+": "added", "-": "removed", "@": "place"}
_pages.filters["line_kind"] = lambda line: _KINDS.get(line[:1], "")


def document(plan: Plan) -> str:
    plan = redacted(plan)
    style, digest = _style()
    return _pages.get_template("plan.html").render(
        plan=plan,
        sections=list(sections(plan.steps)),
        total=total(plan),
        tally=tally(plan),
        style=style,
        style_digest=digest,
    )


@cache
def _style() -> tuple[Markup, str]:
    """Return the style sheet, and the digest by which the page allows this one and no other."""
    text = _pages.get_template("plan.css").render()
    return Markup(text), base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()  # noqa: S704 - our own file
