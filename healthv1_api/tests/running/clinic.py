"""A service in use: its people, and what they ask it."""

import secrets
from dataclasses import dataclass, field
from functools import cached_property

from running.database import Database
from running.service import Answer, Service

IDLE = 240
"""Minutes that a session may go unused: longer than other tests take that come in between on the same worker."""
ORIGINS = "https://app.example.org,https://admin.example.org"


@dataclass
class Clinic:
    service: Service
    database: Database
    passwords: dict[str, str] = field(repr=False)
    redis: int = 0

    def remember_sessions_of(self, redis: int) -> None:
        """Log in again when another Redis runs than before: sessions went with it."""
        if redis != self.redis:
            for name in ("admin", "clinician", "auditor", "verifier"):
                vars(self).get(name, self).__dict__.pop("tokens", None)
        self.redis = redis

    def login(self, username: str, password: str) -> Answer:
        return self.service.request("/v1/auth/login", "POST", body={"username": username, "password": password})

    @cached_property
    def admin(self) -> "Person":
        return Person(self, "admin", self.passwords["INITIAL_ADMIN_PASSWORD"])

    @cached_property
    def clinician(self) -> "Person":
        return self.new("clinician")

    @cached_property
    def auditor(self) -> "Person":
        return self.new("auditor")

    @cached_property
    def verifier(self) -> "Person":
        """Of another organization."""
        return Person(self, "verification", self.passwords["VERIFICATION_PASSWORD"])

    def new(self, *roles: str) -> "Person":
        name, password = f"user-{secrets.token_hex(4)}", secrets.token_urlsafe(16)
        wanted = {"username": name, "password": password, "roles": list(roles)}
        made = self.admin.ask("POST", "/v1/users", wanted)
        assert made.status == 201, made.text
        return Person(self, name, password)


@dataclass
class Person:
    clinic: Clinic
    username: str
    password: str = field(repr=False)

    @cached_property
    def tokens(self) -> dict[str, str]:
        answer = self.clinic.login(self.username, self.password)
        assert answer.status == 200, answer.text
        return answer.document

    def ask(self, method: str, path: str, body: object = None, **headers: str) -> Answer:
        bearer = {"authorization": f"Bearer {self.tokens['access_token']}"}
        return self.clinic.service.request(path, method, body=body, **{**bearer, **headers})

    def new_patient(self, **changed: str) -> Answer:
        return self.ask("POST", "/v1/patients", {**somebody(), **changed})


def somebody() -> dict[str, str]:
    name = secrets.token_hex(6)
    return {
        "identifier": f"MRN-{name}",
        "given_name": f"Given{name}",
        "family_name": f"Family{name}",
        "birth_date": "1980-02-29",
        "notes": f"Notes {name}",
    }
