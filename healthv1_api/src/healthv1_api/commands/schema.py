"""`migrate` and `seed`: each says what it did, or that nothing was to do."""

import json
from argparse import Namespace

from healthv1_api import migrate
from healthv1_api.database.standing import Standing
from healthv1_api.errors import DueError
from healthv1_api.seed import seed
from healthv1_api.settings import MigrationSettings, read


def run(_: Namespace) -> list[str]:
    before = migrate.run(read(MigrationSettings))
    return [f"applied {revision}" for revision in before.pending] or [f"nothing to do: at {before.head}"]


def info(arguments: Namespace) -> list[str]:
    standing = migrate.info(read(MigrationSettings))
    if arguments.check:
        _refuse_pending(standing)
    return [json.dumps(standing.as_dict())] if arguments.json else _in_words(standing)


def revert(_: Namespace) -> list[str]:
    before = migrate.revert(read(MigrationSettings))
    return [f"reverted {before.current}" if before.current else "nothing to do: no migration is applied"]


def fill(arguments: Namespace) -> list[str]:
    settings = read(MigrationSettings)
    if arguments.check:
        _refuse_pending(migrate.info(settings))
    added = seed(settings, keep=not arguments.check)
    if arguments.check and added:
        raise DueError(f"{added} rows are missing.", hint="run `healthv1-api seed`.")
    return [f"added {added} rows" if added else "nothing to do: every row is there"]


def _refuse_pending(standing: Standing) -> None:
    if standing.pending:
        raise DueError(f"pending: {', '.join(standing.pending)}.", hint="run `healthv1-api migrate run`.")


def _in_words(standing: Standing) -> list[str]:
    return [
        f"current: {standing.current or 'none'}",
        f"head:    {standing.head}",
        f"pending: {', '.join(standing.pending) or 'none'}",
        f"state:   {standing.state}",
    ]
