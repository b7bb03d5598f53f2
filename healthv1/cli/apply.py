"""`healthv1 apply`: make the hosts what the plan says."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from healthv1.cli import lock, results
from healthv1.cli.options import DONE, FAILED, as_json, limit
from healthv1.commands import apply as work
from healthv1.lock.holder import Terms
from healthv1.output import terminal
from healthv1.rollout import saved_plans


@click.command()
@click.argument("environment", metavar="ENV|./PLANFILE")
@limit
@as_json
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--resume", is_flag=True, help="Go on with the apply that stopped: what is left of it was agreed to.")
@lock.wait
@lock.reason
def apply(
    environment: str, limit: tuple[str, ...], as_json: bool, yes: bool, resume: bool, lock_wait: float, reason: str
) -> None:
    """Make the hosts what the plan says. Exit 0: they are; 1: a fault, or somebody else is deploying.

    What has a slash or a dot in it is the file of a plan that was saved: it is applied exactly, or refused, and nobody
    is asked, for it was agreed to.
    """
    saved = None
    if "/" in environment or "." in environment:
        saved = saved_plans.read_trusted(Path(environment), limit)
        environment, limit = saved.environment, saved.limit
        work.refuse_resuming(saved, resume=resume)
    agree = results.agreement(show=not as_json, ask=not (yes or saved or resume))
    terms = Terms(reason, lock_wait)
    outcome = work.apply(environment, limit, agree, saved=saved, terms=terms, resume=resume)
    if as_json:
        terminal.show_document(outcome.as_json())
    else:
        results.show_outcome(outcome)
        if outcome.ended_well:
            terminal.say_next(f"healthv1 verify {environment}")
    sys.exit(DONE if outcome.ended_well else terminal.INTERRUPTED if outcome.interrupted else FAILED)
