"""Where a database stands on the way from no migration to this release's last one."""

from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from sqlalchemy import Connection, text

VERSIONS = Path(__file__).parents[1] / "migrations" / "versions"
SCHEMA = "health"
LEDGER = "health.alembic_version"
CURRENT_REVISION = "SELECT version_num FROM health.alembic_version"
State = Literal["at-head", "behind", "ahead"]


@dataclass(frozen=True)
class SchemaStanding:
    current: str | None
    head: str
    pending: tuple[str, ...]
    state: State

    def as_dict(self) -> dict[str, object]:
        return asdict(self)


@cache
def revisions() -> tuple[str, ...]:
    """All revisions of this release, first to last, by the names of their files.

    Alembic, which knows them too, takes longer to import than all else that answers where a database stands.
    """
    return tuple(sorted(path.name[1:5] for path in VERSIONS.glob("r[0-9]*.py")))


def found(connection: Connection) -> SchemaStanding:
    """Return where the connection's database stands."""
    if connection.scalar(text("SELECT to_regclass(:ledger)"), {"ledger": LEDGER}) is None:
        return standing(None)
    return standing(connection.scalar(text(CURRENT_REVISION)))


def standing(current: str | None) -> SchemaStanding:
    """A revision that this release does not know is a later one's: releases stay compatible with the next schema."""
    known = revisions()
    head = known[-1]
    if current is not None and current not in known:
        return SchemaStanding(current, head, (), "ahead")
    pending = known if current is None else known[known.index(current) + 1 :]
    return SchemaStanding(current, head, pending, "behind" if pending else "at-head")
