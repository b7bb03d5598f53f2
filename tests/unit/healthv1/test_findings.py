"""What people read of findings: a cause is said once, and a host's words steer no terminal."""

from healthv1.plan.finding import Finding, lines

GONE = "psql: no such file\n\tIs it running?"
FINDINGS = [
    Finding("db1", "postgresql", "It answers", holds=False, evidence=GONE, hint="read the journal"),
    Finding("db1", "postgresql", "It starts with the host", holds=True),
    Finding("db1", "postgresql", "It listens", holds=False, hint="read the ports"),
    Finding("db1", "redis", "It answers", holds=True),
    Finding("db1", "postgresql", "It takes writes", holds=False, evidence=GONE, hint="healthv1 apply production"),
    Finding("db1", "postgresql", "It is private", holds=False, hint="healthv1 apply production"),
    Finding("db2", "postgresql", "It answers", holds=False, evidence=GONE, hint="read the journal"),
]


def test_a_cause_that_many_claims_share_is_said_once_per_component_and_host():
    assert list(lines(FINDINGS, everything=False)) == [
        "✗ db1  postgresql: 1 of 5 hold",
        "    ✗ It answers",
        "    ✗ It takes writes",
        "        psql: no such file",
        "        \tIs it running?",
        "        Hint: read the journal",
        "    ✗ It listens",
        "        Hint: read the ports",
        "    ✗ It is private",
        "        Hint: healthv1 apply production",
        "✓ db1  redis: 1 of 1 hold",
        "✗ db2  postgresql: 0 of 1 hold",
        "    ✗ It answers",
        "        psql: no such file",
        "        \tIs it running?",
        "        Hint: read the journal",
    ]


def test_all_names_each_claim_once():
    shown = [
        line.split(maxsplit=1)[1] for line in lines(FINDINGS, everything=True) if line.startswith(("    ✗", "    ✓"))
    ]
    assert sorted(shown) == sorted(finding.claim for finding in FINDINGS)
