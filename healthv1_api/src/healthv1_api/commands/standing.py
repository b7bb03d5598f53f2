"""`migrate info` and `seed`: asked at every plan of a deployment, so they import nothing of what migrates."""

import json
from argparse import Namespace

from healthv1_api.database.direct import owner_connection
from healthv1_api.database.standing import Standing, found
from healthv1_api.errors import DueError
from healthv1_api.seed import seed
from healthv1_api.settings import MigrationSettings, read


def info(arguments: Namespace) -> list[str]:
    standing = _standing(read(MigrationSettings))
    if arguments.check:
        _refuse_pending(standing)
    return [json.dumps(standing.as_dict())] if arguments.json else _in_words(standing)


def fill(arguments: Namespace) -> list[str]:
    settings = read(MigrationSettings)
    if arguments.check:
        _refuse_pending(_standing(settings))
    added = seed(settings, keep=not arguments.check)
    if arguments.check and added:
        raise DueError(f"{added} rows are missing.", hint="run `healthv1-api seed`.")
    return [f"added {added} rows" if added else "nothing to do: every row is there"]


def _standing(settings: MigrationSettings) -> Standing:
    with owner_connection(settings) as connection:
        return found(connection)


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
