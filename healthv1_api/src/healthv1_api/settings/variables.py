"""What holds for every variable, whichever command reads it."""

import re

from pydantic import field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from healthv1_api.settings.credentials import Credentials

UNEXPANDED = re.compile(r"\$\{\w+\}")


class Variables(BaseSettings):
    model_config = SettingsConfigDict(
        env_ignore_empty=True, extra="ignore", frozen=True, hide_input_in_errors=True, populate_by_name=True
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - called by name
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, Credentials(settings_cls)

    @field_validator("*", mode="before")
    @classmethod
    def _expanded(cls, value: object) -> object:
        # Nothing expands a "${DB_PASSWORD}": it would be used as the password.
        if isinstance(value, str) and UNEXPANDED.search(value):
            raise ValueError("holds ${...} that nothing expands: write the value itself")
        return value
