"""`healthv1 plan`: what apply would change."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from healthv1.cli.options import CHANGES, DONE, FAILED, environment, limit, writable
from healthv1.cli.show import Form, forms
from healthv1.commands import plan as work
from healthv1.errors import Refused
from healthv1.output import terminal


@click.command()
@environment
@limit
@forms
@click.option("--out", type=writable, metavar="FILE", help="Also save the plan: `apply ./FILE` applies it exactly.")
def plan(environment: str, limit: tuple[str, ...], form: Form, out: Path | None) -> None:
    """Show what apply would change. Exit 0: nothing; 2: changes; 1: a fault. A plan with faults is not saved."""
    try:
        new_plan = work.plan(environment, limit, out)
    except Refused as refusal:
        form.show_refusal(environment, refusal)
        raise
    form.show(new_plan)
    terminal.show_faults(new_plan.faults if form.name != "json" else ())
    if not form.name and not new_plan.faults:
        applied = f"healthv1 apply {_as_file(out) if out else environment}"
        terminal.say_next(applied if new_plan.steps else f"healthv1 verify {environment}")
    sys.exit(FAILED if new_plan.faults else CHANGES if new_plan.steps else DONE)


def _as_file(path: Path) -> str:
    """Return `path` with a slash in it: by the slash `apply` tells a file from an environment."""
    return str(path) if "/" in str(path) else f"./{path}"
