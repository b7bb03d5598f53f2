"""The terminal: secrets are redacted on their way to it, and every fault is one clear error."""

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

from healthv1.errors import Fault, Refused, RestoreError
from healthv1.output.escaping import readable, readable_lines
from healthv1.output.redaction import RedactingStream, redactor
from healthv1.signals import NothingChanged, may_have_changed, sigterm_as_interrupt

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


def run_guarded(command: Callable[[], Any], wants_json: bool) -> int:
    """Run `command` with redacted streams; return its exit code."""
    sys.stdout, sys.stderr = RedactingStream(sys.stdout, redactor), RedactingStream(sys.stderr, redactor)
    # gevent prints the traceback of whatever fails in a greenlet, even when somebody waits for it.
    gevent.get_hub().exception_stream = None
    try:
        with sigterm_as_interrupt():
            command()
    except Refused as refusal:
        _refuse(refusal, refusal.faults, wants_json)
        return refusal.exit_code if isinstance(refusal, RestoreError) else 1
    except click.ClickException as error:
        return _refuse(error, (_usage_fault(error),), wants_json)
    except (KeyboardInterrupt, click.Abort) as stop:
        done = "What was done stays done; the same command goes on from here."
        unchanged = isinstance(stop, NothingChanged) or not may_have_changed()
        outcome = "Nothing was changed." if unchanged else done
        click.echo(f"\nInterrupted. {outcome}", err=True)
        return INTERRUPTED
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else 1
    except Exception as error:  # noqa: BLE001 - the last line of defence against a traceback
        what = f"Something unforeseen happened: {type(error).__name__}: {error}."
        return _refuse(error, (Fault("healthv1", what, "run again with --debug, and report it"),), wants_json)
    return 0


def _usage_fault(error: click.ClickException) -> Fault:
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
