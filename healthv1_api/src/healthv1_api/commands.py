"""The commands of `healthv1-api`: each takes parsed arguments and returns what to print."""

import json
from argparse import Namespace

from healthv1_api import migrate
from healthv1_api.database.standing import Standing
from healthv1_api.seed import seed
from healthv1_api.serve import serve
from healthv1_api.settings import MigrationSettings, ServiceSettings, read


def run_serve(arguments: Namespace) -> str:
    settings = read(ServiceSettings, api_service_port=arguments.port, prometheus_metrics_port=arguments.metrics_port)
    serve(settings, arguments.host)
    return "stopped"


def migrate_run(_: Namespace) -> str:
    before = migrate.run(read(MigrationSettings))
    return "\n".join(f"applied {revision}" for revision in before.pending) or f"nothing to do: at {before.head}"


def migrate_info(arguments: Namespace) -> str:
    standing = migrate.info(read(MigrationSettings))
    return json.dumps(standing.as_dict()) if arguments.json else _in_words(standing)


def migrate_revert(_: Namespace) -> str:
    before = migrate.revert(read(MigrationSettings))
    return f"reverted {before.current}" if before.current else "nothing to do: no migration is applied"


def run_seed(_: Namespace) -> str:
    added = seed(read(MigrationSettings))
    return f"added {added} rows" if added else "nothing to do: every row is there"


def _in_words(standing: Standing) -> str:
    return (
        f"current: {standing.current or 'none'}\n"
        f"head:    {standing.head}\n"
        f"pending: {', '.join(standing.pending) or 'none'}\n"
        f"state:   {standing.state}"
    )
