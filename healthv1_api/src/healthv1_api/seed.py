"""The rows that every deployment has: the roles, and an organization to begin with."""

from sqlalchemy import text

from healthv1_api.database.direct import owner_connection
from healthv1_api.settings import MigrationSettings

ROLES = [
    {"name": "admin", "description": "Manages users, organizations and features"},
    {"name": "clinician", "description": "Reads and writes patients and orders"},
    {"name": "auditor", "description": "Reads the audit trail"},
]
ORGANIZATIONS = [{"slug": "default", "name": "Default organization"}]
INSERT_ROLE = text("INSERT INTO health.roles (name, description) VALUES (:name, :description) ON CONFLICT DO NOTHING")
INSERT_ORGANIZATION = text("INSERT INTO health.organizations (slug, name) VALUES (:slug, :name) ON CONFLICT DO NOTHING")


def seed(settings: MigrationSettings) -> int:
    """Return how many rows were missing."""
    with owner_connection(settings) as connection:
        added = sum(connection.execute(INSERT_ROLE, row).rowcount for row in ROLES)
        added += sum(connection.execute(INSERT_ORGANIZATION, row).rowcount for row in ORGANIZATIONS)
        connection.commit()
        return added
