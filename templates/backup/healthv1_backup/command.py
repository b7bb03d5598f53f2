"""The command line. Timers use it, and `healthv1` over SSH: results are JSON on stdout, sentences go to stderr."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import asdict
from types import FrameType

from healthv1_backup import (
    backing_up,
    checking,
    claims,
    drill_commands,
    drilling,
    exporting,
    exposure,
    marking,
    notes,
    preparing,
    proof,
    restore_commands,
    watching,
)
from healthv1_backup.processes import Failed, say
from healthv1_backup.settings import Settings, load

OK, FAILED, NOT_PROVEN, DOES_NOT_HOLD = 0, 1, 3, 4


def main(words: list[str]) -> int:
    """Run one command, and return its exit code: 0 done, 1 it failed, 3 a backup is not proven, 4 a claim is false."""
    os.umask(0o077)
    signal.signal(signal.SIGTERM, _end)
    arguments = _parser().parse_args(words)
    command: Callable[[Settings, argparse.Namespace], int] = arguments.command
    try:
        return command(load(), arguments)
    except Failed as error:
        say(str(error))
        return error.code
    except OSError as error:
        say(str(error))
        return FAILED
    except Exception as error:  # noqa: BLE001 - the last line of defence against a traceback
        say(f"something unforeseen happened: {type(error).__name__}: {error}")
        return FAILED


def _end(_signal: int, _frame: FrameType | None) -> None:
    sys.exit(128 + signal.SIGTERM)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="backup", allow_abbrev=False)
    commands = parser.add_subparsers(required=True)

    def add(name: str, command: Callable[[Settings, argparse.Namespace], int]) -> argparse.ArgumentParser:
        added = commands.add_parser(name)
        added.set_defaults(command=command)
        return added

    run = add("run", _run)
    run.add_argument("kind", choices=backing_up.KINDS)
    run.add_argument("--by-timer", action="store_true")
    add("prepare", lambda settings, _: preparing.prepare(settings))
    add("prove", lambda settings, _: _show_proof(backing_up.prove(settings)))
    add("noted", lambda _settings, _: _show(_noted()))
    add("check", lambda settings, _: _show(checking.check(settings)))
    add("exposed", lambda settings, _: _show(exposure.exposed(settings)))
    add("folders", lambda settings, _: _show(list(settings.repositories)))
    add("list", lambda settings, _: _show(backing_up.kept(settings)))
    add("export", lambda settings, _: OK if exporting.export(settings) else FAILED)
    add("watch", lambda settings, _: _watch(settings))
    mark = add("mark", lambda settings, arguments: _show(marking.mark(settings, arguments.name)))
    mark.add_argument("name")
    restore_commands.add_to(commands)
    drill_commands.add_to(commands)
    claim = add("claim", _claim)
    claim.add_argument("name", choices=claims.CLAIMS)
    return parser


def _noted() -> dict[str, object]:
    failure = notes.read("failure")
    return {
        "repositories": [asdict(one) for one in proof.noted().proofs],
        "failure": failure.get("what", ""),
    }


def _run(settings: Settings, arguments: argparse.Namespace) -> int:
    noted = backing_up.back_up(settings, arguments.kind, by_timer=arguments.by_timer)
    return _judge(noted) if arguments.by_timer else _show_proof(noted)


def _show_proof(noted: proof.Noted) -> int:
    _show([asdict(one) for one in noted.proofs])
    return _judge(noted)


def _judge(noted: proof.Noted) -> int:
    for one in noted.proofs:
        for fault in one.faults:
            say(f"Repository {one.repository}: {fault}.")
    return OK if all(one.holds for one in noted.proofs) else NOT_PROVEN


def _watch(settings: Settings) -> int:
    fault = watching.watch(settings).fault if settings.live else ""
    drilling.sweep_if_ended(settings)
    return FAILED if fault else OK


def _claim(settings: Settings, arguments: argparse.Namespace) -> int:
    failing = claims.failing(arguments.name, settings)
    print("\n".join(failing))
    return DOES_NOT_HOLD if failing else OK


def _show(document: object) -> int:
    print(json.dumps(document))
    return OK
