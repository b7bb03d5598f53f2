"""`backup drill …`: what the timer runs, and what `healthv1 drill` calls over SSH."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from typing import Any

from healthv1_backup import asking, drilling, evidence, opening
from healthv1_backup.asking import Asked
from healthv1_backup.processes import say
from healthv1_backup.settings import Settings

OK, NOT_PROVEN, NOT_TRIED = 0, 3, 5
CODES = {drilling.PASSED: OK, drilling.REFUSED: NOT_TRIED}
Command = Callable[[Settings, argparse.Namespace], int]


def add_to(commands: Any) -> None:
    """Add the group to the program's commands."""
    group = commands.add_parser("drill").add_subparsers(required=True)

    def add(name: str, command: Command) -> argparse.ArgumentParser:
        added: argparse.ArgumentParser = group.add_parser(name)
        added.set_defaults(command=command)
        return added

    add("run", lambda settings, _: judge(drilling.drill(settings, asking.taken())))
    add("clean", lambda settings, _: drilling.sweep_if_ended(settings))
    add("ask", lambda _settings, _: _ask())
    add("state", lambda _settings, _: _show({"active": asking.is_active()}))
    add("show", lambda _settings, _: _show({"key": evidence.public_key(), "drills": evidence.kept()}))
    add("export", lambda settings, _: _show(opening.header(asking.with_keys(settings, Asked()))))
    add("key", lambda _settings, _: _show({"key": evidence.public_key()}))


def judge(document: dict[str, Any]) -> int:
    """Return the exit code of a drill."""
    say(f"Drill {document['number']}: {'. '.join([document['result'], *document['why']])}.")
    return CODES.get(document["result"], NOT_PROVEN)


def _ask() -> int:
    before = evidence.head().number
    asking.ask(sys.stdin.read())
    return _show({"number": before})


def _show(document: object) -> int:
    print(json.dumps(document))
    return OK
