"""Every variable of the guide that is the API's alone. Ports, the database and its roles are the stack's."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from deploys.component import Port, Secret, Settings


def _is_origin(text: str) -> str:
    if not re.fullmatch(r"https://[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[0-9]{1,5})?", text):
        raise ValueError("give an origin like https://app.example.com, without a path")
    return text


Origin = Annotated[str, AfterValidator(_is_origin)]
SKEW = timedelta(minutes=1)
"""By so much the clocks of two hosts may differ; the API grants tokens as much."""
Positive = Annotated[int, Field(ge=1)]


class Environment(Settings):
    log_level: Literal["error", "warn", "info", "debug", "trace"] = "info"
    database_max_connections: Positive = 20
    """Of one instance, to the pooler, which shares its 25 connections to PostgreSQL among all that are busy.

    The guide's 100 per instance only lets requests queue in the pooler, where no timeout of the API sees them.
    """
    database_min_connections: Annotated[int, Field(ge=0)] = 2
    jwt_secret: Secret = Secret("jwt_secret", entropy=64, used_by=("API",), rotation="overlapping")
    jwt_expiration_hours: Positive = 24
    refresh_token_expiration_days: Positive = 30
    cors_allowed_origins: tuple[Origin, ...]
    session_secret: Secret = Secret("session_secret", entropy=64, used_by=("API",), rotation="overlapping")
    session_timeout_minutes: Positive = 30
    master_key: Secret = Secret("master_key", entropy=32, used_by=("API",), rotation="overlapping", irreplaceable=True)
    """Encrypts the keys that encrypt PHI. If it is lost, so are the patients' data."""
    require_escrow: bool = True
    """Whether a deploy refuses until what nothing can replace was exported for escrow, and read back (row G5)."""
    dek_rotation_days: Positive = 90
    login_failures_without_delay: Positive | None = None
    """In a row, of one account: each further one makes it wait, longer each time. None: the API's own figure, 5."""
    login_delay_max_seconds: Annotated[int, Field(ge=1, le=60)] | None = None
    """None: the API's own figure, 60."""
    login_failures_remembered_minutes: Annotated[int, Field(ge=2, le=1440)] | None = None
    """None: the API's own figure, 15."""
    smtp_host: str = ""
    """Empty: no mail is sent."""
    smtp_port: Port = 587
    smtp_username: str = ""
    smtp_password: Secret | None = None
    smtp_from: Annotated[str, Field(pattern=r"^([^@\s]+@[^@\s]+)?$")] = ""
    sentry_dsn: Secret | None = None
    enable_pacs_integration: bool = True
    enable_hl7_integration: bool = False
    enable_fhir_api: bool = False

    def validity(self, key: str) -> timedelta:
        """Return how long what was made with a secret is good for: so long its old version is accepted."""
        return {
            self.jwt_secret.key: timedelta(hours=self.jwt_expiration_hours) + SKEW,
            self.session_secret.key: timedelta(minutes=self.session_timeout_minutes),
        }.get(key, timedelta())

    @field_validator("database_min_connections")
    @classmethod
    def _is_within_the_maximum(cls, minimum: int, info: ValidationInfo) -> int:
        if minimum > info.data.get("database_max_connections", minimum):
            raise ValueError("it is more than database_max_connections")
        return minimum

    @field_validator("smtp_password")
    @classmethod
    def _belongs_to_somebody(cls, password: Secret | None, info: ValidationInfo) -> Secret | None:
        if password and not info.data.get("smtp_username"):
            raise ValueError("a password needs smtp_username")
        return password
