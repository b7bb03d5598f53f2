"""fail2ban of the host's owner: his jails, his defaults and his bans stay, and a server that cannot start is told."""

from __future__ import annotations

from collections.abc import Sequence

from pyinfra.api.command import QuoteString, StringCommand
from pyinfra.api.operation import operation
from pyinfra.context import host

from deploys.facts.jails import Broken, BrokenJails, FoundJails, Jails
from deploys.facts.probe import Succeeds
from deploys.foreign import Foreign
from deploys.marks import mark, marked
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


def standing(noted: str, jails: Jails) -> str:
    """Return how our jails stand, as the mark says or as the host was found."""
    return noted or (BESIDE if jails.foreign else ALONE)


def switches_off(how: str, jails: Jails) -> bool:
    """Whether the jail that the distribution enables for sshd is put out: it bans operators as anybody.

    Where the owner has jails, or says something of this one, it is the owner's.
    """
    return how == ALONE and not jails.sshd


@operation()
def mark_jails(how: str, stands_for_ours: str) -> Commands:
    """Refuse what fail2ban cannot start with, and note how our jails stand before the first of them is written.

    + stands_for_ours: what is read in place of our jails while the owner's are tried.
    """
    noted = host.get_fact(Succeeds, test=marked("fail2ban", how))
    jails = host.get_fact(FoundJails)
    # What packages bring starts: of it nobody need be asked. python takes longer than all the rest.
    broken = host.get_fact(BrokenJails, ours=stands_for_ours) if jails.foreign else []
    refuse_foreign([*judge(broken), *([] if noted else resting(how, jails, broken))])
    if noted:
        host.noop("it is known whose fail2ban is")
        return
    forecast().announce(Change("mark", "fail2ban", "create", becomes=_BECOMES[how]))
    yield StringCommand("sh", "-c", QuoteString(mark("fail2ban", how)))


def judge(broken: Sequence[Broken]) -> list[Foreign]:
    """Return what keeps fail2ban from starting: then nobody would be banned, at the latest after the next boot."""
    return [_jail(one) if one.jail else _unreadable(one) for one in broken]


def _jail(one: Broken) -> Foreign:
    missing = " and ".join(one.logs)
    what = f"{one.file or 'A file'} enables it, and {missing} is not there." if missing else f"{one.file}: {one.why}."
    mend = ", create the log, or let it read the journal: backend = systemd" if missing else ", or mend it"
    way_out = f"disable that jail in {one.file}{mend}"
    return Foreign(f"jail {one.jail}", what, "With it fail2ban does not start, and nobody is banned.", way_out)


def _unreadable(one: Broken) -> Foreign:
    what = f"Its configuration cannot be read: {one.why}."
    return Foreign(
        "fail2ban", what, "It does not start, and nobody is banned.", "mend that file; then: fail2ban-client -t"
    )


def resting(how: str, jails: Jails, broken: Sequence[Broken]) -> list[Foreign]:
    """Return the server that its owner does not run: started for our jails, it would enforce the owner's as well."""
    runs = jails.installed and jails.enabled and jails.active == "active"
    if how != BESIDE or runs or broken:
        return []
    failed = jails.active == "failed"
    state = "It has failed" if failed else "It is switched off" if jails.installed else "Its package was removed"
    what = f"{state}, and its owner's files lie there: {', '.join(jails.foreign)}."
    way_out = "read: journalctl -u fail2ban" if failed else "start it yourself, or move these files elsewhere"
    follows = "An apply would start it, and with it the owner's jails."
    return [Foreign("unit fail2ban.service", what, follows, way_out, adoptable=not failed)]
