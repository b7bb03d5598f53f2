"""What the live database holds that somebody could miss. What a deployment makes by itself is nothing of it."""

from __future__ import annotations

from healthv1_backup import proving
from healthv1_backup.processes import Failed, sql
from healthv1_backup.settings import CANARY, Settings

MADE_BY_US = frozenset(
    {
        *("health.alembic_version", "health.roles", "health.data_keys", "health.user_roles"),
        *("health.refresh_families", "health.refresh_tokens", "health.audit_events"),
    }
)
"""Tables with rows of the deployment, and of the logins of those that it makes."""
OURS_IN = {
    "health.organizations": "slug in ('default', 'verification')",
    "health.users": "username in ('admin', 'verification')",
    # The synthetic patient of `healthv1 verify`.
    "health.patients": "organization_id in (select id from health.organizations where slug = 'verification')",
}
"""By table: the rows that every deployment has. A table that is in neither is somebody's."""


class HoldsRows(Failed):
    """The live database is not that of a bare host."""

    code = 7


def worth_keeping(settings: Settings) -> list[str]:
    """Return the tables with rows that somebody could miss, with how many. Raises `Failed` when it does not answer."""

    def ask(statement: str, database: str) -> list[list[str]]:
        return sql(settings, statement, database, timeout=120)

    counts = []
    for (database, table), (count, _) in proving.count_rows(ask).items():
        if database == CANARY or (database == settings.database and table in MADE_BY_US):
            continue
        if database == settings.database and table in OURS_IN:
            count = int(ask(f"select count(*) from {table} where not ({OURS_IN[table]})", database)[0][0])  # noqa: PLW2901
        if count:
            counts.append(f"{count} of {table}" if database == settings.database else f"{count} of {database} {table}")
    return counts


def refuse(settings: Settings) -> None:
    """Raise `HoldsRows` where something could be missed: such a database is not exchanged for another host's."""
    counts = worth_keeping(settings)
    if counts:
        raise HoldsRows(f"the database of this host holds rows: {', '.join(counts)}")
