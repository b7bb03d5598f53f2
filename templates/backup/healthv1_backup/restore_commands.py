"""`backup restore …`: what `healthv1 restore` calls over SSH."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from healthv1_backup import copying, folders, notes, onto, restoring, steps, swapping
from healthv1_backup.processes import Failed
from healthv1_backup.settings import Settings

COPIED = "copied"
"""The note of the last database that was copied out."""
Command = Callable[[Settings, argparse.Namespace], int]


def add_to(commands: Any) -> None:
    """Add the group to the program's commands."""
    group = commands.add_parser("restore").add_subparsers(required=True)

    def add(name: str, command: Command) -> argparse.ArgumentParser:
        added: argparse.ArgumentParser = group.add_parser(name)
        added.set_defaults(command=command)
        return added

    begin = add("begin", _begin)
    begin.add_argument("--to", default="latest")
    begin.add_argument("--backup", default="")
    begin.add_argument("--repository", type=int, default=0)
    begin.add_argument("--from", dest="folder", default="")
    swap = add("swap", _swap)
    swap.add_argument("--unproven", action="store_true")
    copy = add("copy", _copy)
    copy.add_argument("--database", default="")
    copy.add_argument("--table", default="")
    add("status", lambda settings, _: _show(steps.status(settings)))
    add("kept", lambda settings, _: _show(steps.kept(settings)))
    add("copied", lambda _settings, _: _show(notes.read(COPIED)))
    add("resume", lambda settings, _: _start(settings))
    add("go", lambda settings, _: steps.go(settings))
    add("folders", lambda settings, _: _show(_folders(settings)))
    add("standing", lambda settings, _: _show(onto.standing(settings)))
    add("keys", lambda _settings, _: _do(lambda: onto.take_keys(sys.stdin.read())))
    add("end", lambda _settings, _: _do(onto.end))
    add("abandon", _abandon)
    add("discard", _discard)


def _begin(settings: Settings, arguments: argparse.Namespace) -> int:
    if arguments.folder:
        onto.begin(settings, arguments.to, arguments.folder, arguments.repository or 1, arguments.backup)
    else:
        restoring.begin(settings, arguments.to, label=arguments.backup, number=arguments.repository)
    return _start(settings)


def _swap(settings: Settings, arguments: argparse.Namespace) -> int:
    swapping.begin(settings, unproven=arguments.unproven)
    return _start(settings)


def _abandon(settings: Settings, _: argparse.Namespace) -> int:
    steps.abandon(settings)
    return _start(settings)


def _discard(settings: Settings, _: argparse.Namespace) -> int:
    steps.discard()
    return _start(settings)


def _copy(settings: Settings, arguments: argparse.Namespace) -> int:
    notes.remove(COPIED)
    try:
        done = copying.copy_out(settings, arguments.database or settings.database, arguments.table)
    except Failed as error:
        notes.write(COPIED, {"failure": str(error)})
        raise
    notes.write(COPIED, done)
    return _show(done)


def _folders(settings: Settings) -> dict[str, object]:
    return {"folders": [asdict(folder) for folder in folders.left(settings)], "now": time.time()}


def _do(work: Callable[[], None]) -> int:
    work()
    return 0


def _start(settings: Settings) -> int:
    steps.start()
    return _show(steps.status(settings))


def _show(document: object) -> int:
    print(json.dumps(document))
    return 0
