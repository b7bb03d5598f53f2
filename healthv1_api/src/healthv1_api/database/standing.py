"""Where a database stands on the way from no migration to this release's last one."""

from dataclasses import asdict, dataclass
from functools import cache
from typing import Literal

from alembic.config import Config
from alembic.script import ScriptDirectory

SCHEMA = "health"
LEDGER = "health.alembic_version"
CURRENT_REVISION = "SELECT version_num FROM health.alembic_version"
State = Literal["at-head", "behind", "ahead"]


@dataclass(frozen=True)
class Standing:
    current: str | None
    head: str
    pending: tuple[str, ...]
    state: State

    def as_dict(self) -> dict[str, object]:
        return asdict(self)


def alembic_config() -> Config:
    config = Config()
    config.set_main_option("script_location", "healthv1_api:migrations")
    return config


@cache
def revisions() -> tuple[str, ...]:
    """All revisions of this release, first to last."""
    scripts = ScriptDirectory.from_config(alembic_config())
    return tuple(reversed([script.revision for script in scripts.walk_revisions()]))


def standing(current: str | None) -> Standing:
    """A revision that this release does not know is a later one's: releases stay compatible with the next schema."""
    known = revisions()
    head = known[-1]
    if current is not None and current not in known:
        return Standing(current, head, (), "ahead")
    pending = known if current is None else known[known.index(current) + 1 :]
    return Standing(current, head, pending, "behind" if pending else "at-head")
