"""What we tell sshd reaches it, and a reload takes up nothing of others' that nobody has tried."""

from __future__ import annotations

from collections.abc import Sequence

from pyinfra.api.operation import operation
from pyinfra.context import host

from deploys.facts.ssh import UnreadSshdFiles
from deploys.facts.sshd import SshdFiles
from deploys.facts.unit import UnitState
from deploys.faults import Fault, Refused
from deploys.foreign import Foreign
from deploys.operations.change import Commands
from deploys.operations.forecast import forecast
from deploys.operations.foreign import refuse_foreign

INCLUDE = "Include /etc/ssh/sshd_config.d/*.conf"
WAY_OUT = "keep a session open, run: systemctl reload ssh, and see that a new login gets through"


@operation()
def refuse_unread_files(instead: str) -> Commands:
    """Refuse a host whose sshd does not read what we write: that would look like a deploy that worked.

    + instead: what its owner may do to keep it so.
    """
    if not host.get_fact(SshdFiles).includes:
        what = f"It does not say {INCLUDE}."
        consequence = "What an apply would tell sshd would lie there unread."
        way_out = " or ".join(part for part in (f"put that line at its top{',' * bool(instead)}", instead) if part)
        refuse_foreign([Foreign("file /etc/ssh/sshd_config", what, consequence, way_out)])
    host.noop("sshd reads what we tell it")
    yield from ()


@operation()
def refuse_foreign_reload(unit: str, reload_on: Sequence[str]) -> Commands:
    """Refuse to have sshd read its files anew while others' wait there that it has not read yet.

    + unit, reload_on: as of the operation that reloads it.
    """
    state = host.get_fact(UnitState, unit=unit, restart_on=(), reload_on=tuple(reload_on))
    will_reload = state.stale_definition or state.reload_on or forecast().pending(*reload_on)
    unread = host.get_fact(UnreadSshdFiles) if will_reload else []
    Refused.unless(unread_fault(host.name, path) for path in unread)
    host.noop("sshd reads nothing of others' anew")
    yield from ()


def unread_fault(name: str, path: str) -> Fault:
    what = "It was changed, and sshd has not read it yet: with our reload it would, and might let nobody in."
    return Fault(f"{name}: {path}", what, WAY_OUT)
