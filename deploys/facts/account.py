"""A system account, as the password database has it."""

from __future__ import annotations

from dataclasses import dataclass

from pyinfra.api.command import QuoteString, StringCommand
from pyinfra.api.facts import FactBase

_STATE = (
    'getent passwd "$1" | cut -d: -f1,3-7; id -gn "$1"; id -Gn "$1";'
    ' case "$(getent shadow "$1" | cut -d: -f2)" in "!"*|"*"*) echo locked;; *) echo open;; esac'
)


@dataclass(frozen=True)
class Account:
    home: str
    shell: str
    group: str
    groups: frozenset[str]
    locked: bool
    """No password opens it."""


class AccountState(FactBase[Account | None]):
    def command(self, account: str) -> StringCommand:
        return StringCommand(
            *("id", QuoteString(account), ">/dev/null", "2>&1", "||", "exit", "0;"),
            *("sh", "-c", QuoteString(_STATE), "account", QuoteString(account)),
        )

    def process(self, output: list[str]) -> Account | None:
        entry, group, groups, lock = output
        *_, home, shell = entry.split(":")
        return Account(home, shell, group, frozenset(groups.split()), lock == "locked")
