"""How results read on a terminal: plans, outcomes, reports, drift and facts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from healthv1 import plan as plans
from healthv1.commands.apply import Applied
from healthv1.commands.verify import Report
from healthv1.errors import Fault
from healthv1.output import terminal
from healthv1.plan import drift as drifts
from healthv1.plan import finding, text
from healthv1.plan.drift import Drift


def agreement(*, show: bool, ask: bool) -> Callable[[plans.Plan], bool]:
    """Return a function that shows a plan, and asks for consent unless --yes gave it."""

    def agree(plan: plans.Plan) -> bool:
        if show:
            show_plan(plan)
        return not ask or terminal.consent("apply", "Apply this?")

    return agree


def show_plan(plan: plans.Plan, *, full: bool = False) -> None:
    for line in text.lines(plan, full=full):
        click.secho(line.text, fg=line.colour, bold=line.bold)


def show_outcome(applied: Applied) -> None:
    terminal.show_faults(applied.faults)
    changes, hosts = plans.counted(applied.changes, "change"), ", ".join(applied.hosts)
    changed = ", ".join(dict.fromkeys(step.host for step in applied.steps))
    if applied.faults or applied.interrupted:
        click.echo(f"{'Interrupted: ' * applied.interrupted}{changes} made, then it stopped:")
        for standing in applied.standings:
            terminal.say(f"    {standing}")
        cause = "Mend the cause, then go on" if applied.faults else "Go on"
        click.echo(f"{cause} from here: healthv1 apply {applied.environment} --resume")
    elif applied.declined:
        click.secho("Nothing was changed.", bold=True)
    elif applied.changes:
        click.secho(f"{changes} made on {changed} in {applied.seconds:.1f} s.", bold=True)
    else:
        click.secho(f"Nothing to do on {hosts}: all is as it should be.", bold=True)


def show_report(report: Report, everything: bool) -> None:
    for line in finding.lines(report.findings, everything):
        terminal.say(line, fg={"✓": "green", "✗": "red"}.get(line.strip()[:1]))
    terminal.show_faults(report.faults)
    broken = sum(not finding.holds for finding in report.findings)
    click.secho(
        f"{broken} of {len(report.findings)} claims do not hold." if broken else
        f"All {len(report.findings)} claims hold." if report.holds else "Not every host could be asked.",
        bold=True,
    )  # fmt: skip


def show_drift(report: Drift) -> None:
    for line in drifts.lines(report):
        terminal.say(line, bold=not line.startswith(" "))
    terminal.show_faults(report.faults)
    changes = sum(len(drifted.step.changes) for drifted in report.drifted)
    if changes:
        click.secho(f"{plans.counted(changes, 'change')} due.", bold=True)
        terminal.say_next(f"healthv1 plan {report.environment}")
    elif not report.faults:
        click.secho(f"No drift on {', '.join(report.hosts)}.", bold=True)


def show_facts(document: dict[str, Any]) -> None:
    for host, facts in document["hosts"].items():
        click.secho(host, bold=True)
        for name, value in facts.items():
            terminal.say(f"    {name:<14}{value}")
    terminal.show_faults(Fault(**fault) for fault in document["faults"])
