"""The settings of commands: of `migrate` and `seed`, which come in as the owner, and of `keys`."""

from typing import Annotated, Any

from pydantic import Field, ValidationInfo, field_validator

from healthv1_api.settings.kinds import DatabaseUrl, MasterKey, Password, connection_parts
from healthv1_api.settings.variables import Variables


def _of_the_service(known: dict[str, Any]) -> str:
    return str(connection_parts(known["database_url"])["user"]) if "database_url" in known else ""


class MigrationSettings(Variables):
    """The owner's way in, and who is granted what it creates."""

    database_url: DatabaseUrl
    migration_database_url: DatabaseUrl
    application_role: Annotated[str, Field(default_factory=_of_the_service)]
    """Is granted what the service needs: the user of DATABASE_URL, or the role that this one is a member of."""
    initial_admin_password: Password | None = None
    """Of the user `admin`, who is added only where missing."""
    verification_password: Password | None = None
    """Of the user `verification`, who sees an organization of its own and nothing of patients."""

    @field_validator("migration_database_url")
    @classmethod
    def _another_role(cls, url: DatabaseUrl, info: ValidationInfo) -> DatabaseUrl:
        service = info.data.get("database_url")
        if service is not None and connection_parts(service)["user"] == connection_parts(url)["user"]:
            raise ValueError("must name another role than DATABASE_URL: the service does not own its tables")
        return url


class KeySettings(Variables):
    """The master key, and the way to what it wraps."""

    database_url: DatabaseUrl
    master_key: MasterKey
    master_key_also_accepted: MasterKey | None = None


class RewrapSettings(Variables):
    """The application role may not change keys: their owner does."""

    migration_database_url: DatabaseUrl
    master_key: MasterKey
    master_key_also_accepted: MasterKey | None = None
