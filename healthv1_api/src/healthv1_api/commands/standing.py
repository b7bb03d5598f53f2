"""`migrate info` and `seed`: asked at every plan of a deployment, so they import nothing of what migrates."""

import json
import sys
from argparse import Namespace

from pydantic import SecretStr, TypeAdapter, ValidationError

from healthv1_api.database.direct import owner_connection
from healthv1_api.database.standing import SchemaStanding, found
from healthv1_api.errors import DueError, SettingsError
from healthv1_api.seed import seed
from healthv1_api.settings import MigrationSettings, read
from healthv1_api.settings.kinds import Password


def info(arguments: Namespace) -> list[str]:
    standing = _standing(read(MigrationSettings))
    if arguments.check:
        _refuse_pending(standing)
    return [json.dumps(standing.as_dict())] if arguments.json else _in_words(standing)


def fill(arguments: Namespace) -> list[str]:
    settings = read(MigrationSettings)
    if arguments.check:
        _refuse_pending(_standing(settings))
    first = _from_stdin if arguments.admin and not arguments.check else None
    added = seed(settings, keep=not arguments.check, admin=arguments.admin, first_password=first)
    if arguments.check and added:
        raise DueError(f"{added} rows are missing.", hint="run `healthv1-api seed`.")
    return [f"added {added} rows" if added else "nothing to do: every row is there"]


def _from_stdin() -> SecretStr:
    try:
        return TypeAdapter(Password).validate_python(SecretStr(sys.stdin.readline().rstrip("\r\n")))
    except ValidationError:
        raise SettingsError(
            "INITIAL_ADMIN_PASSWORD: is neither set nor given on stdin, in 12 characters at least.",
            hint="pipe it in, on one line.",
        ) from None


def _standing(settings: MigrationSettings) -> SchemaStanding:
    with owner_connection(settings) as connection:
        return found(connection)


def _refuse_pending(standing: SchemaStanding) -> None:
    if standing.pending:
        raise DueError(f"pending: {', '.join(standing.pending)}.", hint="run `healthv1-api migrate run`.")


def _in_words(standing: SchemaStanding) -> list[str]:
    return [
        f"current: {standing.current or 'none'}",
        f"head:    {standing.head}",
        f"pending: {', '.join(standing.pending) or 'none'}",
        f"state:   {standing.state}",
    ]
