"""What people read on the terminal: plans, outcomes, reports and faults, with secrets redacted from all of it."""

from __future__ import annotations

import json
import logging
import sys
import traceback
from collections.abc import Callable, Iterable
from dataclasses import asdict
from typing import Any

import click
import gevent

from healthv1 import drift as drifts
from healthv1 import plan as plans
from healthv1.applying import Applied
from healthv1.commands import Report
from healthv1.drift import Drift
from healthv1.errors import Fault, Refused
from healthv1.interruption import NothingChanged, cancelled_as_interrupted, may_have_changed
from healthv1.plan import text
from healthv1.readable import readable, readable_lines
from healthv1.redaction import RedactingStream, redactor
from healthv1.verify import finding

INTERRUPTED = 130
_debug = False


def set_debug(debug: bool) -> None:
    global _debug  # noqa: PLW0603 - one process, one terminal
    _debug = debug
    if debug:
        gevent.get_hub().exception_stream = sys.stderr
        handler = logging.StreamHandler(sys.stderr)
        logging.getLogger("pyinfra").addHandler(handler)
        logging.getLogger("pyinfra").setLevel(logging.DEBUG)


def guarded(command: Callable[[], Any], wants_json: bool) -> int:
    """Run `command` with redacted streams; return its exit code."""
    sys.stdout, sys.stderr = RedactingStream(sys.stdout, redactor), RedactingStream(sys.stderr, redactor)
    # gevent prints the traceback of whatever fails in a greenlet, even when somebody waits for it.
    gevent.get_hub().exception_stream = None
    try:
        with cancelled_as_interrupted():
            command()
    except Refused as refusal:
        return _refuse(refusal, refusal.faults, wants_json)
    except click.ClickException as error:
        return _refuse(error, (_misused(error),), wants_json)
    except (KeyboardInterrupt, click.Abort) as stop:
        done = "What was done stays done; the same command goes on from here."
        unchanged = isinstance(stop, NothingChanged) or not may_have_changed()
        said = "Nothing was changed." if unchanged else done
        click.echo(f"\nInterrupted. {said}", err=True)
        return INTERRUPTED
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else 1
    except Exception as error:  # noqa: BLE001 - the last line of defence against a traceback
        what = f"Something unforeseen happened: {type(error).__name__}: {error}."
        return _refuse(error, (Fault("healthv1", what, "run again with --debug, and report it"),), wants_json)
    return 0


def _misused(error: click.ClickException) -> Fault:
    """Return what was typed wrongly, with the help of that very command."""
    context = getattr(error, "ctx", None)
    path = context.command_path if context else "healthv1"
    if isinstance(error, click.exceptions.NoArgsIsHelpError):  # its message is the help
        return Fault("", f"{path} needs to be told what to do.", f"{path} --help")
    return Fault("", error.format_message(), f"{path} --help")


def _refuse(error: Exception, faults: tuple[Fault, ...], wants_json: bool) -> int:
    if wants_json:
        show_document({"schema": 1, "faults": [asdict(fault) for fault in faults]})
    show_faults(faults)
    if _debug:
        traceback.print_exception(error)
    return 1


def show_document(document: dict[str, Any]) -> None:
    """Print what a machine reads: one JSON document."""
    click.echo(json.dumps(document, indent=2, ensure_ascii=False))


def show_faults(faults: Iterable[Fault]) -> None:
    for fault in dict.fromkeys(faults):
        click.echo(f"{click.style('Error:', fg='red', bold=True)} {readable_lines(str(fault))}", err=True)


def say(line: str, **style: Any) -> None:
    """Print a line that may have words of a host's or of somebody else's in it. `style`: as of `click.style`."""
    click.secho(readable(line), **style)


def agreement(*, show: bool, ask: bool) -> Callable[[plans.Plan], bool]:
    """Return what lets an apply go on: shows the plan, and asks for consent unless it was given with --yes."""

    def agree(plan: plans.Plan) -> bool:
        if show:
            show_plan(plan)
        return not ask or consent("apply", "Apply this?")

    return agree


def consent(command: str, question: str) -> bool:
    """Ask for consent. Raises `Refused` where there is nobody to ask, and `KeyboardInterrupt` for Ctrl-C."""
    if not sys.stdin.isatty():
        raise Refused(Fault(command, "There is nobody to ask.", "look at the plan and give --yes"))
    try:
        return click.confirm(question, err=True)
    except click.Abort:
        raise KeyboardInterrupt from None


def say_next(command: str) -> None:
    click.echo(f"Next: {command}")


def show_plan(plan: plans.Plan, *, full: bool = False) -> None:
    for line in text.lines(plan, full=full):
        click.secho(line.text, fg=line.colour, bold=line.bold)


def show_outcome(applied: Applied) -> None:
    show_faults(applied.faults)
    changes, hosts = plans.counted(applied.changes, "change"), ", ".join(applied.hosts)
    changed = ", ".join(dict.fromkeys(step.host for step in applied.steps))
    if applied.faults or applied.interrupted:
        click.echo(f"{'Interrupted: ' * applied.interrupted}{changes} made, then it stopped:")
        for standing in applied.standings:
            say(f"    {standing}")
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
        say(line, fg={"✓": "green", "✗": "red"}.get(line.strip()[:1]))
    show_faults(report.faults)
    broken = sum(not one.holds for one in report.findings)
    click.secho(
        f"{broken} of {len(report.findings)} claims do not hold." if broken else
        f"All {len(report.findings)} claims hold." if report.holds else "Not every host could be asked.",
        bold=True,
    )  # fmt: skip


def show_drift(found: Drift) -> None:
    for line in drifts.lines(found):
        say(line, bold=not line.startswith(" "))
    show_faults(found.faults)
    changes = sum(len(one.step.changes) for one in found.drifted)
    if changes:
        click.secho(f"{plans.counted(changes, 'change')} due.", bold=True)
        say_next(f"healthv1 plan {found.environment}")
    elif not found.faults:
        click.secho(f"No drift on {', '.join(found.hosts)}.", bold=True)


def show_facts(found: dict[str, Any]) -> None:
    for host, facts in found["hosts"].items():
        click.secho(host, bold=True)
        for name, value in facts.items():
            say(f"    {name:<14}{value}")
    show_faults(Fault(**fault) for fault in found["faults"])
