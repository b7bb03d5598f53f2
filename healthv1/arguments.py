"""What many commands are given."""

from __future__ import annotations

import click

environment = click.argument("environment", metavar="ENV")
limit = click.option("--limit", multiple=True, metavar="HOST", help="Only this host, pattern or group. Repeatable.")
as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout, nothing else there.")
