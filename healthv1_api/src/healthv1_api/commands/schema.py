"""`migrate run` and `migrate revert`: each says what it did, or that nothing was to do."""

from argparse import Namespace

from healthv1_api import migrate
from healthv1_api.settings import MigrationSettings, read


def run(arguments: Namespace) -> list[str]:
    before, named = migrate.run(read(MigrationSettings), arguments.restore_point)
    point = [f"made the restore point {arguments.restore_point}"] * named
    return point + ([f"applied {revision}" for revision in before.pending] or [f"nothing to do: at {before.head}"])


def revert(_: Namespace) -> list[str]:
    before = migrate.revert(read(MigrationSettings))
    return [f"reverted {before.current}" if before.current else "nothing to do: no migration is applied"]
