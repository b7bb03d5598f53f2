"""The command line: `healthv1-api serve | migrate … | seed | keys … | secrets check`."""

from argparse import ArgumentParser

from healthv1_api import VERSION


def parser() -> ArgumentParser:
    top = ArgumentParser(prog="healthv1-api", description="The bundled API of Health V1.")
    top.add_argument("--version", action="version", version=VERSION)
    verbs = top.add_subparsers(required=True, metavar="COMMAND")
    _serve(verbs.add_parser("serve", help="serve requests until SIGTERM"))
    _migrate(verbs.add_parser("migrate", help="move the schema, or say where it stands"))
    seeding = verbs.add_parser("seed", help="add the rows that every deployment has, where missing")
    seeding.add_argument(
        "--check", action="store_true", help="change nothing; exit 3 while a migration or a row is missing"
    )
    seeding.add_argument(
        "--admin",
        action="store_true",
        help="an admin is among them, whose first password is INITIAL_ADMIN_PASSWORD or a line on stdin",
    )
    seeding.set_defaults(run="standing.fill")
    _keys(verbs.add_parser("keys", help="check the master key, or move to new keys"))
    _secrets(verbs.add_parser("secrets", help="try secrets on what they open"))
    return top


def _serve(serving: ArgumentParser) -> None:
    serving.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    serving.add_argument("--port", type=int, help="instead of API_SERVICE_PORT")
    serving.add_argument("--metrics-port", type=int, help="instead of PROMETHEUS_METRICS_PORT")
    serving.set_defaults(run="serving.run")


def _migrate(migrating: ArgumentParser) -> None:
    verbs = migrating.add_subparsers(required=True, metavar="run|info|revert")
    running = verbs.add_parser("run", help="up to this release's head")
    running.add_argument(
        "--restore-point",
        metavar="NAME",
        default="",
        help="name the moment before the first migration, where this role may: a backup can be restored to it",
    )
    running.set_defaults(run="schema.run")
    verbs.add_parser("revert", help="one step down").set_defaults(run="schema.revert")
    informing = verbs.add_parser("info", help="current, head and pending revisions")
    informing.add_argument("--json", action="store_true", help="as one JSON document")
    informing.add_argument("--check", action="store_true", help="exit 3 while a migration is pending")
    informing.set_defaults(run="standing.info")


def _keys(keeping: ArgumentParser) -> None:
    verbs = keeping.add_subparsers(required=True, metavar="check|renew|rewrap")
    checking = verbs.add_parser("check", help="whether MASTER_KEY opens what is stored")
    checking.add_argument(
        "--wrapped", action="store_true", help="exit 3 while it is MASTER_KEY_ALSO_ACCEPTED that opens some"
    )
    checking.set_defaults(run="keys.check")
    verbs.add_parser("renew", help="a new data key, and every row under it").set_defaults(run="keys.renew")
    rewrapping = verbs.add_parser(
        "rewrap", help="from the old master key (MASTER_KEY_ALSO_ACCEPTED, or stdin) to MASTER_KEY"
    )
    rewrapping.set_defaults(run="keys.rewrap")


def _secrets(secrets: ArgumentParser) -> None:
    verbs = secrets.add_subparsers(required=True, metavar="check")
    checking = verbs.add_parser(
        "check", help="variables as one JSON object on stdin: for each, null when it is accepted, or why it is not"
    )
    checking.set_defaults(run="secrets.check")
