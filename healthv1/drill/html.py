"""Drills as one page, for whoever asks for proof: it fetches nothing, runs nothing, and can be printed."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence

import jinja2
from markupsafe import Markup

from healthv1.drill.evidence import HostEvidence
from healthv1.drill.text import export_lines, seconds
from healthv1.output.escaping import readable

_pages = jinja2.Environment(
    loader=jinja2.ChoiceLoader(
        [jinja2.PackageLoader("healthv1.drill", "page"), jinja2.PackageLoader("healthv1.plan", "page")]
    ),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_pages.globals["export_lines"] = export_lines
_pages.filters |= {"readable": lambda text: readable(str(text)), "seconds": seconds}


def document(environment: str, hosts: Sequence[HostEvidence], made: str) -> str:
    style = "".join(_pages.get_template(name).render() for name in ("plan.css", "drill.css"))
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return _pages.get_template("drill.html").render(
        environment=environment,
        hosts=hosts,
        made=made,
        style=Markup(style),  # noqa: S704 - our own files
        style_digest=digest,
    )
