"""What `healthv1 verify` does with a deployed API, done with this one: it holds, and fails when something is broken."""

import pytest

from healthv1.verify import canary
from healthv1.verify.canary import Canary, outcomes, query
from healthv1.verify.visitor import HttpResponse


class Visitor:
    """Goes straight to the service: there is no Nginx here."""

    def __init__(self, service):
        self.service = service

    def get(self, path, *, method="GET", document=None, headers=None):
        answer = self.service.request(path, method, body=document, **(headers or {}))
        return HttpResponse(answer.status, {name.lower(): value for name, value in answer.headers.items()}, answer.text)


@pytest.fixture
def tried(clinic):
    def tried(visitor=None, password=None, stored=None):
        password = password or clinic.passwords["VERIFICATION_PASSWORD"]
        read = stored or (lambda row: clinic.database.sql(query(row)))
        return list(outcomes("host", Canary(visitor or Visitor(clinic.service), password, read)))

    return tried


def test_it_holds_again_and_again_with_one_patient(clinic, tried):
    for _ in range(3):
        assert [finding.claim for finding in tried() if not finding.holds] == []
    assert len(tried()) == 6
    rows = clinic.database.sql(
        "SELECT count(*) FROM health.patients p JOIN health.organizations o ON o.id = p.organization_id"
        " WHERE o.slug = 'verification'"
    )
    assert rows == "1"


def test_a_wrong_password_is_told_and_not_shown(tried):
    (finding,) = tried(password="planted-password")
    assert finding.holds is False
    assert finding.evidence.startswith("401 instead of 200")
    assert "planted" not in repr(finding)


def test_plaintext_in_the_table_is_told(clinic, tried):
    plain = canary.PATIENT["family_name"]
    for row, told in (
        (f"(1,{plain})", "in clear: family_name"),
        (plain.encode().hex(), "in clear: family_name"),
        ("", "no such row"),
    ):
        assert tried(stored=lambda _, row=row: row)[-1].evidence.startswith(told)


def test_a_missing_audit_entry_is_told(clinic, tried):
    class Forgetful(Visitor):
        def get(self, path, **how):
            if path.startswith("/v1/audit"):
                path = "/v1/audit?limit=1&before=1"
            return super().get(path, **how)

    assert tried(Forgetful(clinic.service))[-1].evidence == "none of the last 0 events is that read"


def test_a_used_up_rate_limit_is_waited_for(clinic, tried, monkeypatch):
    monkeypatch.setattr(canary, "RETRY_AFTER", 0)

    class Limited(Visitor):
        refusals = 2

        def get(self, path, **how):
            if path.endswith("/login") and self.refusals:
                self.refusals -= 1
                return HttpResponse(429, {}, "")
            return super().get(path, **how)

    assert all(finding.holds for finding in tried(Limited(clinic.service)))


def test_who_waits_for_a_login_waits_as_long_as_is_told():
    told = {"": canary.RETRY_AFTER, "12": 13, "60": 61, "9999": canary.LONGEST_PAUSE, "Wed, 21 Oct": canary.RETRY_AFTER}
    assert {text: canary._pause(HttpResponse(429, {"retry-after": text}, "")) for text in told} == told
