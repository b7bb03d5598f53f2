"""The rows that every deployment has: roles, organizations, the first admin, and the user that verifies."""

from collections.abc import Callable

from pydantic import SecretStr
from sqlalchemy import Connection, text

from healthv1_api.auth.passwords import hashed, matches
from healthv1_api.auth.policy import fault
from healthv1_api.database.direct import owner_connection
from healthv1_api.errors import SettingsError
from healthv1_api.settings import MigrationSettings

ROLES = [
    {"name": "admin", "description": "Manages users, organizations and features"},
    {"name": "clinician", "description": "Reads and writes patients and orders"},
    {"name": "auditor", "description": "Reads the audit trail"},
]
ORGANIZATIONS = [
    {"slug": "default", "name": "Default organization"},
    # Apart from everyone's patients: who verifies a deployment sees synthetic ones only.
    {"slug": "verification", "name": "Verification of the deployment"},
]
VARIABLES = {"admin": "INITIAL_ADMIN_PASSWORD", "verification": "VERIFICATION_PASSWORD"}
INSERT_ROLE = text("INSERT INTO health.roles (name, description) VALUES (:name, :description) ON CONFLICT DO NOTHING")
INSERT_ORGANIZATION = text("INSERT INTO health.organizations (slug, name) VALUES (:slug, :name) ON CONFLICT DO NOTHING")
FIND_USER = text("SELECT password_hash FROM health.users WHERE username = :username")
INSERT_USER = text(
    "INSERT INTO health.users (organization_id, username, password_hash)"
    " SELECT id, :username, :hash FROM health.organizations WHERE slug = :slug ON CONFLICT DO NOTHING"
)
INSERT_USER_ROLE = text(
    "INSERT INTO health.user_roles (user_id, role)"
    " SELECT id, :role FROM health.users WHERE username = :username ON CONFLICT DO NOTHING"
)
UPDATE_HASH = text("UPDATE health.users SET password_hash = :hash WHERE username = :username")


def seed(
    settings: MigrationSettings,
    *,
    keep: bool = True,
    admin: bool = False,
    first_password: Callable[[], SecretStr] | None = None,
) -> int:
    """Return how many rows were missing. They are added, unless they are not to be kept.

    + admin: whether an admin is among them, also where no password of his is known.
    + first_password: asked for it where there is no admin yet, and the settings have none.
    """
    with owner_connection(settings) as connection:
        added = sum(connection.execute(INSERT_ROLE, row).rowcount for row in ROLES)
        added += sum(connection.execute(INSERT_ORGANIZATION, row).rowcount for row in ORGANIZATIONS)
        added += _admin(connection, settings.initial_admin_password, wanted=admin, ask=first_password)
        added += _verification(connection, settings.verification_password)
        if keep:
            connection.commit()
        return added


def _admin(
    connection: Connection, password: SecretStr | None, *, wanted: bool, ask: Callable[[], SecretStr] | None
) -> int:
    """Who exists keeps the password that they chose."""
    if _stored(connection, "admin"):
        return 0
    password = ask() if password is None and ask else password
    if password is None:
        return 1 if wanted else 0
    return _add(connection, "admin", "default", password, ["admin"])


def _verification(connection: Connection, password: SecretStr | None) -> int:
    """A machine's password follows the backend's."""
    if password is None:
        return 0
    stored = _stored(connection, "verification")
    if stored is None:
        return _add(connection, "verification", "verification", password, ["auditor", "clinician"])
    if matches(stored, password.get_secret_value()):
        return 0
    row = {"username": "verification", "hash": _chosen("verification", password)}
    return connection.execute(UPDATE_HASH, row).rowcount


def _chosen(username: str, password: SecretStr) -> str:
    """Return its hash. Raises SettingsError for one that the API would not let anybody choose."""
    what = fault(password.get_secret_value(), username)
    if what:
        raise SettingsError(f"{VARIABLES[username]}: {what[0].lower()}{what[1:]}.", hint="give another one.")
    return hashed(password.get_secret_value())


def _stored(connection: Connection, username: str) -> str | None:
    found: str | None = connection.scalar(FIND_USER, {"username": username})
    return found


def _add(connection: Connection, username: str, slug: str, password: SecretStr, roles: list[str]) -> int:
    row = {"username": username, "slug": slug, "hash": _chosen(username, password)}
    added = connection.execute(INSERT_USER, row).rowcount
    for role in roles:
        connection.execute(INSERT_USER_ROLE, {"username": username, "role": role})
    return added
