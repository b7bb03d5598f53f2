"""What an operation would change, as data: the words a plan is made of."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

from pyinfra.api.command import PyinfraCommand

Commands = Generator[PyinfraCommand, None, None]


@dataclass(frozen=True)
class Change:
    kind: str
    """file, directory, link, package, unit, role, database, setting, rule, certificate, release, secret …"""
    target: str
    action: str
    """create, update, remove, install, enable, start, restart, reload, run …"""
    why: str = ""
    diff: str = ""
    """A unified diff; of a file that is created, all of it. Never for a file that holds secrets."""
    was: str = ""
    """What is there before, in a few words: a mode and owner, a state, a version. Empty for what is not there."""
    becomes: str = ""
    """What is there afterwards, in the same words."""
    effect: str = ""
    """Who is interrupted by it, and what happens meanwhile. Empty when that goes without saying."""
