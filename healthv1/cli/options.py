"""Options and exit codes that many commands share."""

from __future__ import annotations

from pathlib import Path

import click

DONE, FAILED, CHANGES, NOT_PROVEN = 0, 1, 2, 3
"""Exit codes: docs/exit-codes.md."""
environment = click.argument("environment", metavar="ENV")
limit = click.option("--limit", multiple=True, metavar="HOST", help="Only this host, pattern or group. Repeatable.")
as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout, nothing else there.")
writable = click.Path(dir_okay=False, writable=True, path_type=Path)
