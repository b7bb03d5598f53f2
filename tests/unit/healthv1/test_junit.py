"""Findings as JUnit XML: what any reader of that format needs, whatever a host says."""

from xml.etree import ElementTree as ET

from hypothesis import given
from hypothesis import strategies as st

from healthv1.errors import Fault
from healthv1.plan.finding import Finding
from healthv1.verify.junit import document

FINDINGS = [
    Finding("host1", "nginx", "It answers", holds=True),
    Finding(
        "host1",
        "redis",
        "It asks for a password",
        holds=False,
        evidence="PONG\x1b[31m & <more>",
        hint="healthv1 apply production",
    ),
    Finding("host2", "nginx", "It answers", holds=True),
]
LOST = Fault("host3", "It cannot be reached.", "check that it is up")


def _read(findings, faults=()):
    return ET.fromstring(document("production", findings, faults).encode())


def test_each_host_is_a_suite_and_each_claim_a_case_with_its_evidence():
    whole = _read(FINDINGS)
    assert [(suite.get("name"), suite.get("tests"), suite.get("failures")) for suite in whole] == [
        ("host1", "2", "1"),
        ("host2", "1", "0"),
    ]
    (case,) = [case for case in whole.iter("testcase") if case.find("failure") is not None]
    assert (case.get("classname"), case.get("name")) == ("host1.redis", "It asks for a password")
    assert case.find("failure").text == "PONG\ufffd[31m & <more>\nHint: healthv1 apply production"


def test_a_host_that_could_not_be_asked_is_an_error_and_counted():
    whole = _read(FINDINGS, [LOST])
    assert (whole.get("tests"), whole.get("failures"), whole.get("errors")) == ("4", "1", "1")
    (error,) = whole.iter("error")
    assert error.get("message") == "It cannot be reached."


@given(st.text(), st.text(), st.text())
def test_whatever_a_host_says_it_stays_a_document(claim, evidence, hint):
    (case,) = _read([Finding("host", "part", claim, False, evidence, hint)]).iter("testcase")
    assert case.find("failure") is not None
