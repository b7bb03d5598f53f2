"""The forms of a plan, and `healthv1 show`: it shows a kept plan, without a host and without a secret."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any

import click

from healthv1.cli import results
from healthv1.cli.options import as_json
from healthv1.commands import show as work
from healthv1.errors import Refused
from healthv1.output import terminal
from healthv1.plan import html, markdown
from healthv1.plan.data import Plan

_OPTIONS = (
    as_json,
    click.option("--markdown", is_flag=True, help="Print it for the comment on a merge request."),
    click.option("--html", is_flag=True, help="Print it as one page to look at."),
    click.option("--full", is_flag=True, help="On a terminal, fold nothing."),
    click.option(
        "--size",
        type=click.IntRange(min=markdown.SHORTEST),
        default=markdown.LIMIT,
        metavar="N",
        show_default=True,
        help="Characters that --markdown may have.",
    ),
)


@dataclass(frozen=True)
class Form:
    name: str
    """json, markdown, html, or empty for the terminal."""
    full: bool
    size: int

    def show(self, plan: Plan) -> None:
        if self.name == "json":
            terminal.show_document(plan.as_json())
        elif self.name == "markdown":
            click.echo(markdown.document(plan, self.size), nl=False)
        elif self.name == "html":
            click.echo(html.document(plan))
        else:
            results.show_plan(plan, full=self.full)

    def show_refusal(self, environment: str, refusal: Refused) -> None:
        """Print a comment or a page that says why there is no plan. For JSON the refusal itself is a document."""
        if self.name in {"markdown", "html"}:
            self.show(Plan(environment, (), 0, (), refusal.faults))


def forms(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options of a plan's form to a command. The command gets them as `form`."""

    @wraps(command)
    def with_form(*args: Any, as_json: bool, markdown: bool, html: bool, full: bool, size: int, **options: Any) -> None:
        given = [name for name, on in (("json", as_json), ("markdown", markdown), ("html", html)) if on]
        if len(given) > 1:
            raise click.UsageError(f"--{given[0]} and --{given[1]} exclude each other.")
        command(*args, form=Form("".join(given), full, size), **options)

    for option in reversed(_OPTIONS):
        with_form = option(with_form)
    return with_form


@click.command()
@click.argument("file", type=click.Path(path_type=Path), metavar="PLANFILE")
@forms
def show(file: Path, form: Form) -> None:
    """Show a plan that was kept in a file, by `plan --json` or `plan --out`. Nothing is asked of a host."""
    form.show(work.show(file))
