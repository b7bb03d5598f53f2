"""Every variable of the guide that is the API's alone. Ports, the database and its roles are the stack's."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from deploys.component import Port, Secret, Settings

Origin = Annotated[str, Field(pattern=r"^https://[a-z0-9.-]+(:[0-9]{1,5})?$")]
Positive = Annotated[int, Field(ge=1)]


class Environment(Settings):
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    database_max_connections: Positive = 20
    """Of one instance, to the pooler. The guide's 100 of each instance would wait for the pooler's 25 anyway."""
    database_min_connections: Positive = 2
    jwt_secret: Secret = Secret("jwt_secret", entropy=64)
    jwt_expiration_hours: Positive = 24
    refresh_token_expiration_days: Positive = 30
    cors_allowed_origins: tuple[Origin, ...]
    session_secret: Secret = Secret("session_secret", entropy=64)
    session_timeout_minutes: Positive = 30
    master_key: Secret = Secret("master_key", entropy=32)
    """Encrypts the keys that encrypt PHI. If it is lost, so are the patients' data."""
    dek_rotation_days: Positive = 90
    smtp_host: str = ""
    """Empty: no mail is sent."""
    smtp_port: Port = 587
    smtp_username: str = ""
    smtp_password: Secret | None = None
    smtp_from: str = ""
    sentry_dsn: Secret | None = None
    enable_pacs_integration: bool = True
    enable_hl7_integration: bool = False
    enable_fhir_api: bool = False
