"""The settings of a serving instance."""

from typing import Annotated

from pydantic import AliasChoices, Field, SecretStr, ValidationInfo, field_validator

from healthv1_api.settings.kinds import (
    Count,
    DatabaseUrl,
    LogLevel,
    MasterKey,
    Origins,
    Port,
    RedisUrl,
    SigningSecret,
    Stage,
)
from healthv1_api.settings.variables import Variables


class ServiceSettings(Variables):
    environment: Stage = "production"
    api_service_port: Port = 8080
    # 9090, the guide's value, is Prometheus's own port.
    prometheus_metrics_port: Port = 9190
    log_level: Annotated[LogLevel, Field(validation_alias=AliasChoices("LOG_LEVEL", "RUST_LOG"))] = "info"

    database_url: DatabaseUrl
    database_max_connections: Count = 20
    database_min_connections: Annotated[int, Field(ge=0)] = 2
    redis_url: RedisUrl

    jwt_secret: SigningSecret
    jwt_secret_also_accepted: SigningSecret | None = None
    """While one is replaced: the one before, or the next. Nothing is made with it. So for the two below."""
    jwt_expiration_hours: Count = 24
    refresh_token_expiration_days: Count = 30
    session_secret: SigningSecret
    session_secret_also_accepted: SigningSecret | None = None
    session_timeout_minutes: Count = 30
    login_failures_without_delay: Count = 5
    """In a row, of one account: after each further one it waits, a second at first, and twice as long each time."""
    login_delay_max_seconds: Annotated[int, Field(ge=1, le=60)] = 60
    """No more than a minute: a stranger who fails on purpose must not keep somebody out for longer."""
    login_failures_remembered_minutes: Annotated[int, Field(ge=2, le=1440)] = 15
    """After the last one."""
    master_key: MasterKey
    master_key_also_accepted: MasterKey | None = None
    dek_rotation_days: Count = 90
    cors_allowed_origins: Origins = ()

    smtp_host: str | None = None
    smtp_port: Port = 587
    smtp_username: SecretStr | None = None
    smtp_password: SecretStr | None = None
    smtp_from: str | None = None
    sentry_dsn: SecretStr | None = None

    enable_pacs_integration: bool = False
    enable_hl7_integration: bool = False
    enable_fhir_api: bool = False

    @field_validator("prometheus_metrics_port")
    @classmethod
    def _own_port(cls, port: int, info: ValidationInfo) -> int:
        if port == info.data.get("api_service_port"):
            raise ValueError("must differ from API_SERVICE_PORT: metrics are never on the public port")
        return port

    @field_validator("database_min_connections")
    @classmethod
    def _within_maximum(cls, minimum: int, info: ValidationInfo) -> int:
        if minimum > info.data.get("database_max_connections", minimum):
            raise ValueError("must not exceed DATABASE_MAX_CONNECTIONS")
        return minimum
