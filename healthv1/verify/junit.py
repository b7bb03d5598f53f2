"""Findings as JUnit XML, which every CI shows: a suite per host, a case per claim, faults as errors.

Follows the schema that Jenkins publishes, which GitLab and the GitHub reporters read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import groupby
from xml.etree.ElementTree import Element, SubElement, tostring

from healthv1.errors import Fault
from healthv1.plan.finding import Finding

_NOT_XML = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 cannot hold, however it is written."""


def document(environment: str, findings: Iterable[Finding], faults: Iterable[Fault]) -> str:
    """Return one XML document."""
    whole = Element("testsuites", name=_text(f"healthv1 verify {environment}"))
    for host, group in groupby(findings, key=lambda finding: finding.host):
        whole.append(_suite(host, [_case(finding) for finding in group]))
    errors = [_error(fault) for fault in faults]
    if errors:
        whole.append(_suite("hosts that could not be asked", errors))
    for kind in ("tests", "failures", "errors"):
        whole.set(kind, str(sum(int(suite.get(kind, "0")) for suite in whole)))
    return f"<?xml version='1.0' encoding='utf-8'?>\n{tostring(whole, encoding='unicode')}\n"


def _suite(name: str, cases: list[Element]) -> Element:
    suite = Element("testsuite", name=_text(name), tests=str(len(cases)))
    suite.extend(cases)
    for kind in ("failure", "error"):
        suite.set(f"{kind}s", str(sum(case.find(kind) is not None for case in cases)))
    return suite


def _case(finding: Finding) -> Element:
    case = Element("testcase", classname=_text(f"{finding.host}.{finding.component}"), name=_text(finding.claim))
    if not finding.holds:
        failure = SubElement(case, "failure", message=_text(finding.claim), type="claim")
        failure.text = _text("\n".join(_failure_lines(finding)))
    return case


def _failure_lines(finding: Finding) -> Iterator[str]:
    yield from filter(None, [finding.evidence])
    yield from [f"Hint: {finding.hint}"] * bool(finding.hint)


def _error(fault: Fault) -> Element:
    case = Element("testcase", classname=_text(fault.where or "healthv1"), name="can be asked")
    SubElement(case, "error", message=_text(fault.what), type="fault").text = _text(str(fault))
    return case


def _text(text: str) -> str:
    return _NOT_XML.sub("\ufffd", text)
