"""The settings of `migrate` and `seed`: the owner's way in, and who is granted what it creates."""

from pydantic import ValidationInfo, field_validator

from healthv1_api.settings.kinds import DatabaseUrl, Password, connection_parts
from healthv1_api.settings.variables import Variables


class MigrationSettings(Variables):
    database_url: DatabaseUrl
    migration_database_url: DatabaseUrl
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

    @property
    def application_role(self) -> str:
        return str(connection_parts(self.database_url)["user"])
