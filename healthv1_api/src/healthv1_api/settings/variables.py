"""What holds for every variable, whichever command reads it."""

from pydantic import field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class Variables(BaseSettings):
    model_config = SettingsConfigDict(
        env_ignore_empty=True, extra="ignore", frozen=True, hide_input_in_errors=True, populate_by_name=True
    )

    @field_validator("*", mode="before")
    @classmethod
    def _expanded(cls, value: object) -> object:
        # systemd's EnvironmentFile expands nothing: a "${DB_PASSWORD}" would be used as the password.
        if isinstance(value, str) and "${" in value:
            raise ValueError("holds ${...} that nothing expands: write the value itself")
        return value
