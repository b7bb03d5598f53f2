"""System accounts: they own files and run services, and no password opens them."""

from __future__ import annotations

from pyinfra.api.command import QuoteString, StringCommand
from pyinfra.api.operation import operation
from pyinfra.context import host

from deploys.facts.account import Account, AccountState
from deploys.operations.change import Change, Commands, announce

_GROUP = 'set -eu; getent group "$1" >/dev/null || groupadd --system -- "$1"\n'
_CREATE = _GROUP + 'useradd --system --gid "$1" --home-dir "$2" --no-create-home --shell "$3" -- "$1"'
# Only under a prefix, and be it none, does it change the home of an account that is at work. Its services do not mind.
_UPDATE = _GROUP + 'usermod --prefix /. --gid "$1" --home "$2" --shell "$3" --lock -- "$1"'


@operation()
def account(account: str, home: str, shell: str) -> Commands:
    """Have a system account with a group of its own name, this home and shell, and no password."""
    found = host.get_fact(AccountState, account=account)
    wanted = Account(home, shell, account, found.groups if found else frozenset(), locked=True)
    if found == wanted:
        host.noop(f"{account} is as it should be")
        return
    reasons = ["a password opens it"] * (not found.locked) + ["its group"] * (found.group != account) if found else []
    was, becomes = _shown(found), _shown(wanted)
    announce(Change("account", account, "update" if found else "create", ", ".join(reasons), was=was, becomes=becomes))
    script = _UPDATE if found else _CREATE
    yield StringCommand("sh", "-c", QuoteString(script), "account", *(QuoteString(x) for x in (account, home, shell)))


def _shown(account: Account | None) -> str:
    if account is None:
        return ""
    return f"{account.home} {account.shell}, group {account.group}, {'locked' if account.locked else 'open'}"
