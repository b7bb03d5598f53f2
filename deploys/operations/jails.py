"""fail2ban of the host's owner: his jails, his defaults and his bans stay, and a server that cannot start is told."""

from __future__ import annotations

from collections.abc import Sequence

from pyinfra.api.command import QuoteString, StringCommand
from pyinfra.api.operation import operation
from pyinfra.context import host

from deploys.facts.jails import BrokenJail, BrokenJails, JailsOnHost, JailsState
from deploys.facts.probe import Succeeds
from deploys.foreign import Foreign
from deploys.marks import has_mark, mark
from deploys.operations.change import Change, Commands
from deploys.operations.forecast import forecast
from deploys.operations.foreign import refuse_foreign

ALONE, BESIDE, FORMER = "alone", "beside", "former"
"""How our jails stand on a host: nobody had any before us; the owner has; as earlier versions laid them."""
_BECOMES = {
    ALONE: "its jails are ours alone",
    BESIDE: "our jails beside its owner's",
    FORMER: "our jails keep the names that they have",
}


def jail_layout(marked: str, jails: JailsOnHost) -> str:
    """Return how our jails stand, as the mark says or as the host was found."""
    return marked or (BESIDE if jails.foreign_files else ALONE)


def disables_sshd_jail(layout: str, jails: JailsOnHost) -> bool:
    """Whether the jail that the distribution enables for sshd is put out: it bans operators as anybody.

    Where the owner has jails, or says something of this one, it is the owner's.
    """
    return layout == ALONE and not jails.configures_sshd


@operation()
def mark_jails(layout: str, replacement: str) -> Commands:
    """Refuse what fail2ban cannot start with, and note how our jails stand before the first of them is written.

    + replacement: what is read in place of our jails while the owner's are tried.
    """
    is_marked = host.get_fact(Succeeds, test=has_mark("fail2ban", layout))
    jails = host.get_fact(JailsState)
    # What packages bring starts: of it nobody need be asked. python takes longer than all the rest.
    broken = host.get_fact(BrokenJails, replacement=replacement) if jails.foreign_files else []
    refuse_foreign(
        [*broken_jail_conflicts(broken), *([] if is_marked else stopped_server_conflicts(layout, jails, broken))]
    )
    if is_marked:
        host.noop("it is known whose fail2ban is")
        return
    forecast().announce(Change("mark", "fail2ban", "create", becomes=_BECOMES[layout]))
    yield StringCommand("sh", "-c", QuoteString(mark("fail2ban", layout)))


def broken_jail_conflicts(broken: Sequence[BrokenJail]) -> list[Foreign]:
    """Return what keeps fail2ban from starting: then nobody would be banned, at the latest after the next boot."""
    return [_broken_jail_conflict(jail) if jail.jail else _unreadable_conflict(jail) for jail in broken]


def _broken_jail_conflict(broken: BrokenJail) -> Foreign:
    missing = " and ".join(broken.logs)
    what = (
        f"{broken.file or 'A file'} enables it, and {missing} is not there."
        if missing
        else f"{broken.file}: {broken.why}."
    )
    mend = ", create the log, or let it read the journal: backend = systemd" if missing else ", or mend it"
    way_out = f"disable that jail in {broken.file}{mend}"
    return Foreign(f"jail {broken.jail}", what, "With it fail2ban does not start, and nobody is banned.", way_out)


def _unreadable_conflict(broken: BrokenJail) -> Foreign:
    what = f"Its configuration cannot be read: {broken.why}."
    return Foreign(
        "fail2ban", what, "It does not start, and nobody is banned.", "mend that file; then: fail2ban-client -t"
    )


def stopped_server_conflicts(layout: str, jails: JailsOnHost, broken: Sequence[BrokenJail]) -> list[Foreign]:
    """Return the server that its owner does not run: started for our jails, it would enforce the owner's as well."""
    runs = jails.installed and jails.enabled and jails.active == "active"
    if layout != BESIDE or runs or broken:
        return []
    failed = jails.active == "failed"
    state = "It has failed" if failed else "It is switched off" if jails.installed else "Its package was removed"
    what = f"{state}, and its owner's files lie there: {', '.join(jails.foreign_files)}."
    way_out = "read: journalctl -u fail2ban" if failed else "start it yourself, or move these files elsewhere"
    consequence = "An apply would start it, and with it the owner's jails."
    return [Foreign("unit fail2ban.service", what, consequence, way_out, adoptable=not failed)]
