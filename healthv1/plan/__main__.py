"""Print the published schema of a plan's document: `python -m healthv1.plan > docs/plan.schema.json`."""

import click

from healthv1.plan.schema import as_text

click.echo(as_text(), nl=False)
