"""A synthetic patient goes all the way: through Nginx into the API, the audit trail and, sealed, the database.

With one login, as a user who sees an organization of its own. The patient is made once and changed each time.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.client import HTTPException
from typing import Any, Protocol

import gevent

from healthv1.plan.finding import Finding
from healthv1.verify.visitor import HttpResponse

PATIENT = {
    "identifier": "SYNTHETIC-VERIFICATION",
    "given_name": "Synthetic",
    "family_name": "Verification-Patient",
    "birth_date": "1970-01-01",
}
RETRY_AFTER = 13  # seconds, where a refusal does not say how long: by default one login in twelve is let through
LONGEST_PAUSE = 61  # seconds: nobody waits for more than a minute, neither for the limit nor after somebody's guesses
TRIES = 3
LOGS = "read: journalctl -u 'health-v1-api@*'"


class HttpClient(Protocol):
    """The HTTP requests of a `Visitor`."""

    def get(
        self, path: str, *, method: str = ..., document: object = ..., headers: dict[str, str] | None = ...
    ) -> HttpResponse:
        """Raises OSError or http.client.HTTPException."""


class UnexpectedError(Exception):
    """The response differs from the claim."""


@dataclass
class Canary:
    visitor: HttpClient
    password: str = field(repr=False)
    stored: Callable[[str], str]
    """Returns the database row of the patient with that id, as text."""
    token: str = field(default="", repr=False)
    patient: dict[str, Any] = field(default_factory=dict)
    marker: str = field(default_factory=lambda: f"marker-{secrets.token_hex(8)}")
    request: str = ""

    def steps(self) -> Iterator[tuple[str, Callable[[], None], str]]:
        yield (
            "The verification user logs in",
            self.log_in,
            "run: healthv1 apply ENV: it seeds the user with the backend's password",
        )
        yield "A synthetic patient is written", self.write, LOGS
        yield "The patient is read back as written", self.read, LOGS
        yield "The patient is found by identifier", self.find, LOGS
        yield "The audit trail tells of that read", self.see_audit, LOGS
        yield "The table holds ciphertext of the patient", self.see_ciphertext, "treat this as a breach: " + LOGS

    def log_in(self) -> None:
        login = {"username": "verification", "password": self.password}
        for left in reversed(range(TRIES)):
            answer = self.visitor.get("/v1/auth/login", method="POST", document=login)
            if answer.status != 429 or not left:
                break
            gevent.sleep(_pause(answer))
        self.token = _document(answer, 200)["access_token"]

    def write(self) -> None:
        patients = _document(self._ask("POST", "/v1/patients/search", {"identifier": PATIENT["identifier"]}), 200)[
            "patients"
        ]
        if not patients:
            self.patient = _document(self._ask("POST", "/v1/patients", {**PATIENT, "notes": self.marker}), 201)
            return
        path, version = f"/v1/patients/{patients[0]['id']}", f'"{patients[0]["version"]}"'
        self.patient = _document(self._ask("PATCH", path, {"notes": self.marker}, {"If-Match": version}), 200)

    def read(self) -> None:
        answer = self._ask("GET", f"/v1/patients/{self.patient['id']}")
        self.request = answer.headers.get("x-request-id", "")
        if _document(answer, 200)["notes"] != self.marker:
            raise UnexpectedError("other notes came back than were written")

    def find(self) -> None:
        response = _document(
            self._ask("POST", "/v1/patients/search", {"identifier": PATIENT["identifier"].lower()}), 200
        )
        if [patient["id"] for patient in response["patients"]] != [self.patient["id"]]:
            raise UnexpectedError(f"{len(response['patients'])} patients were found")

    def see_audit(self) -> None:
        events = _document(self._ask("GET", f"/v1/audit?subject={self.patient['id']}&limit=20"), 200)["events"]
        if not any(event["action"] == "patient.read" and event["request_id"] == self.request for event in events):
            raise UnexpectedError(f"none of the last {len(events)} events is that read")

    def see_ciphertext(self) -> None:
        row = self.stored(self.patient["id"])
        if not row:
            raise UnexpectedError("no such row was found in the database")
        in_clear = [name for name, value in {**PATIENT, "notes": self.marker}.items() if _holds(row, value)]
        if in_clear:
            raise UnexpectedError(f"in clear: {', '.join(in_clear)}")

    def _ask(
        self, method: str, path: str, document: object = None, headers: dict[str, str] | None = None
    ) -> HttpResponse:
        all_headers = {"Authorization": f"Bearer {self.token}", **(headers or {})}
        return self.visitor.get(path, method=method, document=document, headers=all_headers)


def outcomes(host: str, canary: Canary) -> Iterator[Finding]:
    """Yield a finding per step, up to the first that does not hold: what follows depends on it."""
    for claim, step, hint in canary.steps():
        difference = _difference(step)
        yield Finding(host, "canary", claim, not difference, difference, hint)
        if difference:
            return


def _difference(step: Callable[[], None]) -> str:
    try:
        step()
    except UnexpectedError as error:
        return str(error)
    except (OSError, HTTPException, LookupError, TypeError, ValueError) as error:
        return f"{type(error).__name__}: {error}"
    return ""


def _pause(answer: HttpResponse) -> int:
    """Return the seconds after which it is let through, as the answer says."""
    after = answer.headers.get("retry-after", "")
    return min(int(after) + 1, LONGEST_PAUSE) if after.isdecimal() else RETRY_AFTER


def query(row: str) -> str:
    """Return SQL for the whole row as text: ciphertext as hexadecimal digits."""
    return f"SELECT p FROM health.patients p WHERE id = '{row}'::uuid"  # noqa: S608 - the API's own identifier


def _document(answer: HttpResponse, status: int) -> Any:
    """Raises UnexpectedError. An error's document repeats nothing of what was sent; other bodies are not shown."""
    if answer.status != status:
        what = answer.body[:200] if "problem" in answer.headers.get("content-type", "") else "no problem document"
        raise UnexpectedError(f"{answer.status} instead of {status}: {what}")
    return json.loads(answer.body)


def _holds(row: str, value: str) -> bool:
    return any(form.lower() in row.lower() for form in (value, value.encode().hex()))
