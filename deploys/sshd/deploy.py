"""The keys that opened a host open it still; certificates open the account that we sign in as, where the team wants it.

Nobody can be locked out: what is written is tried by sshd first, is taken up by a reload, and takes no key away; what
others wrote and sshd has not read yet is not taken up with it.
"""

from __future__ import annotations

import re

from pyinfra.api.deploy import deploy
from pyinfra.context import host

from deploys.facts.machine import MachineState
from deploys.facts.ssh import LIST_UNREAD_FILES, TrustedAuthority
from deploys.facts.sshd import SshdFiles
from deploys.faults import Fault, Refused
from deploys.operations.change import Change
from deploys.operations.claims import claim
from deploys.operations.files import file
from deploys.operations.shell import ensure
from deploys.operations.sshd import WAY_OUT, refuse_foreign_reload, refuse_unread_files
from deploys.operations.units import unit
from deploys.paths import STAMPS
from deploys.sshd.checks import AUTHORITIES, CERTIFICATES, checks, penalties_check
from deploys.sshd.settings import PENALIZING_RELEASES, Certificates, Sshd

RELOAD_EFFECT = "sessions go on; nobody can log in for a moment"
REMOVAL_EFFECT = "sshd takes it up: sessions go on"
IS_INACTIVE = "! systemctl is-active --quiet ssh.service"
REFUSE_UNREAD = f"""unread=$({LIST_UNREAD_FILES})
[ -z "$unread" ] || {{ echo "sshd has not read $unread: {WAY_OUT}" >&2; exit 1; }}"""
# Whoever was given its socket by systemd cannot listen again by itself: told to reload, it dies.
RELOAD = f"""PATH=$PATH:/usr/sbin; sshd -t >&2
if systemctl is-active --quiet ssh.socket; then systemctl try-restart ssh.service
else {IS_INACTIVE} || systemctl reload ssh.service; fi"""
PENALTIES = "/etc/ssh/sshd_config.d/00-health-v1-penalties.conf"
MANAGED = "# Managed by healthv1: change group_data and apply, not this file.\n"


@deploy("SSH")
def deploy_sshd(settings: Sshd) -> None:
    machine, sshd = host.get_fact(MachineState), host.get_fact(SshdFiles)
    penalizing = (machine.os, machine.release) in PENALIZING_RELEASES
    ours = penalizing and not sshd.penalties
    if ours or settings.certificates:
        instead = "" if settings.certificates else "say PerSourcePenalties there"
        refuse_unread_files(name="Look what sshd reads", instead=instead)
    if ours:
        _disable_penalties()
    elif penalizing:
        _remove_penalties()
    if settings.certificates:
        _trust_certificates(settings.certificates)
    else:
        _distrust_certificates()
    written = (*((PENALTIES,) if ours else ()), *((CERTIFICATES,) if settings.certificates else ()))
    if written:
        _reload_sshd(written, sshd.socket)


def _disable_penalties() -> None:
    """Leave it to fail2ban to punish: sshd itself would shut out an operator too, whose key was refused a few times."""
    file(
        name="Leave bans to fail2ban",
        path=PENALTIES,
        content=lambda: f"{MANAGED}PerSourcePenalties no\n",
        test_in_place="sshd -t",
    )
    claim("sshd", [penalties_check()])


def _remove_penalties() -> None:
    """Whoever chose how sshd punishes has his choice: ours would overrule it for everybody."""
    why = "the host's owner chose how sshd punishes"
    ensure(
        name="Leave punishments to the host's owner",
        change=Change("file", PENALTIES, "remove", why, effect=REMOVAL_EFFECT),
        test=f"test ! -e {PENALTIES}",
        command=f"{REFUSE_UNREAD}\nrm -f {PENALTIES}\n{RELOAD}",
    )


def _reload_sshd(files: tuple[str, ...], socket: bool) -> None:
    refuse_foreign_reload(name="Look for what sshd has not read", unit="ssh.service", reload_on=files)
    if not socket:
        unit(name="Run sshd", unit="ssh.service", effect=RELOAD_EFFECT, reload_on=files, test="sshd -t")
        return
    # Where systemd listens, sshd is started by it, at times one per connection: started by us it would take the port.
    stamp = f"{STAMPS}/ssh.socket.restart"
    ensure(
        name="Have sshd read its files",
        change=Change("unit", "ssh.service", "restart", f"to take up {', '.join(files)}", effect=REMOVAL_EFFECT),
        test=f'{IS_INACTIVE} || {{ test -e {stamp} && test -z "$(find {" ".join(files)} -newer {stamp})"; }}',
        after=files,
        command=f"install -d -m 0700 {STAMPS}; touch {stamp}.new\n{REFUSE_UNREAD}\n{RELOAD}\nmv -f {stamp}.new {stamp}",
    )


def _trust_certificates(certificates: Certificates) -> None:
    user = _user()
    keys = "".join(f"{key}\n" for key in certificates.authorities())
    _refuse_other_authority(user)
    file(
        name="Write who signs our keys",
        path=AUTHORITIES,
        content=lambda: keys,
        test='ssh-keygen -l -f "$1"',
    )
    # Only in a Match block nobody else's authority is put out of force, and no other account is opened.
    file(
        name="Let signed keys in",
        path=CERTIFICATES,
        content=lambda: (
            f"{MANAGED}# A certificate has to name {user}. Keys in authorized_keys open it as before.\n"
            f"Match User {user}\n    TrustedUserCAKeys {AUTHORITIES}\nMatch all\n"
        ),
        test_in_place="sshd -t",
    )
    claim("sshd", checks(user, keys))


def _distrust_certificates() -> None:
    ensure(
        name="Trust no certificate",
        change=Change("file", CERTIFICATES, "remove", "no certificate opens a host", effect=REMOVAL_EFFECT),
        test=f"test ! -e {CERTIFICATES}",
        command=f"{REFUSE_UNREAD}\nrm -f {CERTIFICATES} {AUTHORITIES}\n{RELOAD}",
    )


def _user() -> str:
    user = str(host.data.get("ssh_user") or "")
    if not re.fullmatch(r"[a-z_][a-z0-9_.-]{0,31}", user):
        what = "It has no ssh_user that a certificate could name."
        raise Refused(Fault(f"inventory, {host.name}", what, 'set ssh_user, such as "admin"'))
    return user


def _refuse_other_authority(user: str) -> None:
    """An authority that the team trusts already would be put out of force by ours."""
    authority = host.get_fact(TrustedAuthority, user=user)
    if authority not in ("", "none", AUTHORITIES):
        what = f"sshd trusts the certificates of {authority} already."
        hint = f"give its keys to Signed(authorities=…), and remove that TrustedUserCAKeys for {user}"
        raise Refused(Fault(host.name, what, hint))
