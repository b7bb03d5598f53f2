"""System accounts: they own files and run services, and no password opens them."""

from __future__ import annotations

from pyinfra.api.command import QuoteString, StringCommand
from pyinfra.api.operation import operation
from pyinfra.context import host

from deploys.accounts import account_conflicts, home_conflicts, is_ours
from deploys.facts.account import Account, AccountOwner, AccountState, HomeOwner, LoginName
from deploys.facts.marks import Marks
from deploys.marks import mark
from deploys.operations.change import Change, Commands
from deploys.operations.forecast import forecast
from deploys.operations.foreign import refuse_foreign

_GROUP = 'getent group "$1" >/dev/null || groupadd --system -- "$1"\n'
_CREATE = 'useradd --system --gid "$1" --home-dir "$2" --no-create-home --shell "$3" -- "$1"'
_VACANT = """if getent passwd "$1" >/dev/null; then
  echo "$1 is there by now: look at the plan again" >&2; exit 1; fi
"""
# Only under a prefix, and be it none, does it change the home of an account that is at work. Its services do not mind.
_UPDATE = 'usermod --prefix /. --gid "$1" --home "$2" --shell "$3" --lock -- "$1"'


@operation()
def account(account: str, home: str, shell: str) -> Commands:
    """Have a system account with a group of its own name, this home and shell, and no password."""
    current = host.get_fact(AccountState, account=account)
    target = Account(home, shell, account, current.groups if current else frozenset(), locked=True)
    if current == target:
        host.noop(f"{account} is as it should be")
        return
    reasons = (
        ["a password opens it"] * (not current.locked) + ["its group"] * (current.group != account) if current else []
    )
    action, was, becomes = "update" if current else "create", _describe(current), _describe(target)
    forecast().announce(Change("account", account, action, ", ".join(reasons), was=was, becomes=becomes))
    ours = f"{mark('account', account)}\n{mark('home', home)}\n"
    script = "set -eu\n" + (ours + _GROUP + _UPDATE if current else _VACANT + ours + _GROUP + _CREATE)
    yield StringCommand("sh", "-c", QuoteString(script), "account", *(QuoteString(x) for x in (account, home, shell)))


def _describe(account: Account | None) -> str:
    if account is None:
        return ""
    return f"{account.home} {account.shell}, group {account.group}, {'locked' if account.locked else 'open'}"


@operation()
def refuse_foreign_account(account: str, home: str) -> Commands:
    """Refuse the account if it is anybody else's, or whom we log in as."""
    login = host.data.get("ssh_user") or host.get_fact(LoginName)
    evidence = host.get_fact(AccountOwner, account=account)
    home_state = host.get_fact(HomeOwner, home=home)  # the operation about the home asks it in the same round
    ours = is_ours(account, home, host.get_fact(Marks).get("account", ""), evidence, home_state)
    refuse_foreign(account_conflicts(account, home, login, evidence, ours=ours))
    host.noop(f"{account} is ours, or vacant")
    yield from ()


@operation()
def refuse_foreign_home(home: str) -> Commands:
    """Refuse the home if anybody else's files lie there."""
    marked = host.get_fact(Marks).get("home") == home
    refuse_foreign(home_conflicts(home, host.get_fact(HomeOwner, home=home), marked=marked))
    host.noop(f"{home} is ours, or vacant")
    yield from ()
