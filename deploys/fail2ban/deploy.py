"""Whoever guesses passwords, or scans the website for holes, is shut out for a while; who operates the host is not."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from pyinfra.api.deploy import deploy
from pyinfra.context import host

from deploys import recovery
from deploys.component import template
from deploys.facts.jails import JailsState
from deploys.facts.marks import Marks
from deploys.facts.ssh import ssh_ports
from deploys.fail2ban.checks import SPARE_COMMAND, UNIT, bans_enforced, checks, jails_running
from deploys.fail2ban.jails import TEST_START, jail_names, restart_jails, stop_jails, unused_jails
from deploys.fail2ban.settings import Fail2ban
from deploys.operations.change import Change
from deploys.operations.claims import claim
from deploys.operations.files import absent, directory, file
from deploys.operations.jails import BESIDE, FORMER, disables_sshd_jail, jail_layout, mark_jails
from deploys.operations.packages import packages
from deploys.operations.shell import ensure
from deploys.operations.units import restart_target, unit
from deploys.paths import LOGINS
from deploys.stack import Topology

JAILS = "/etc/fail2ban/jail.d/health-v1.local"  # .local: read after all that the package brings
SERVER = "/etc/fail2ban/fail2ban.d/health-v1.local"
EFFECT = "nobody is banned for a moment; bans come back"
OUR_JAILS_EFFECT = "nobody is banned by our jails for a moment; bans come back, and other jails go on"
ACTION = "/etc/fail2ban/action.d/health-v1-nftables.conf"
LIMITS = "/etc/fail2ban/filter.d/health-v1-nginx-limits.conf"
SCANS = "/etc/fail2ban/filter.d/health-v1-nginx-scans.conf"
FORMER_LIMITS = "/etc/fail2ban/filter.d/nginx-limits.conf"
LOG = "/var/log/nginx/health-v1-access.log"


@deploy("Fail2ban")
def deploy_fail2ban(
    settings: Fail2ban, topology: Topology, parts: Iterable[str], clinics: tuple[str, ...] = ()
) -> None:
    """Have guessers and scanners banned. `clinics`: networks of many people, never banned from the website."""
    edge = "edge" in parts
    jails_on_host = host.get_fact(JailsState)
    layout = jail_layout(host.get_fact(Marks).get("fail2ban", ""), jails_on_host)
    sshd_disabled = disables_sshd_jail(layout, jails_on_host)
    jails = jail_names(layout == FORMER, edge)
    mark_jails(
        name="Look whose fail2ban is", layout=layout, replacement="[sshd]\nenabled = false\n" if sshd_disabled else ""
    )
    # nftables: without its program bans are listed and never enforced. python3-systemd: without it sshd's jail dies.
    packages(name="Install fail2ban", names=("fail2ban", "nftables", "python3-systemd"))
    if edge:
        _nginx()
    if layout != BESIDE:
        # The server is its owner's where there are other jails.
        file(
            name="Write how the server remembers",
            path=SERVER,
            content=template("fail2ban/fail2ban.local", settings=settings),
        )
        restart_path = recovery.drop_in_path(UNIT)
        directory(name="Make a place for the unit's drop-ins", path=restart_path.rpartition("/")[0])
        file(
            name="Have it started again when it is killed",
            path=restart_path,
            content=recovery.drop_in_text(),
            test_in_place=recovery.RELOAD_SYSTEMD,
        )
    _jails(
        settings,
        topology,
        edge,
        names=jails,
        switched_off=sshd_disabled,
        spared=jails_on_host.sets_ignoreip,
        clinics=clinics,
    )
    _run(layout == BESIDE, jails, edge)
    if layout == FORMER:
        absent(name="Remove the filter of an earlier version", path=FORMER_LIMITS)
    claim("fail2ban", [*checks(jails), *([] if layout == BESIDE else [recovery.check_restart("fail2ban", UNIT)])])


def _nginx() -> None:
    """Make Nginx's logs, where there are none yet: a jail dies without its log, and Nginx is installed later.

    The error log as well, which Nginx would make readable for everybody.
    """
    for log in host.loop((LOG, LOG.replace("access", "error"))):
        ensure(
            name=f"Have {log}",
            change=Change("file", log, "create", becomes="0640 www-data:adm"),
            test=f"test -e {log}",
            command=f"test -d /var/log/nginx || install -d -m 0755 -o root -g adm /var/log/nginx\n"
            f"install -m 0640 -o www-data -g adm /dev/null {log}",
        )
    file(name="Write how rejections are read", path=LIMITS, content=template("fail2ban/health-v1-nginx-limits.conf"))
    file(name="Write how scans are read", path=SCANS, content=template("fail2ban/health-v1-nginx-scans.conf"))


def _jails(settings: Fail2ban, topology: Topology, edge: bool, **values: object) -> None:
    never = ("127.0.0.0/8", "::1", *topology.other_hosts, *settings.never_ban)
    file(
        name="Write what spares operators",
        path=SPARE_COMMAND,
        content=template("fail2ban/health-v1-spare", days=settings.spare_logins_of_days, known=LOGINS, never=never),
        mode="0755",
        test='sh -n "$1"',
    )
    file(name="Write how networks are banned", path=ACTION, content=template("fail2ban/health-v1-nftables.conf"))
    file(
        name="Write the jails",
        path=JAILS,
        content=template(
            "fail2ban/jails.local",
            settings=settings,
            never=never,
            spare=SPARE_COMMAND,
            ssh=ssh_ports(),
            edge=edge,
            log=LOG,
            **values,
        ),
        test_in_place=TEST_START,
    )


def _run(beside: bool, jails: tuple[str, ...], edge: bool) -> None:
    """Have the jails at work. Beside the owner's, ours begin anew by themselves: his go on with his bans."""
    probe = f"{jails_running(jails)} && {{ {bans_enforced(jails)}; }}"
    watched_paths = (ACTION, JAILS, LIMITS, SCANS) if edge else (ACTION, JAILS)
    unit(
        name="Run fail2ban",
        unit=UNIT,
        effect=EFFECT,
        restart_on=() if beside else (SERVER, *watched_paths),
        reload_on=watched_paths if beside else (),
        reload_effect=OUR_JAILS_EFFECT,
        reload_with=f"{restart_jails(jails)}\n{stop_jails(unused_jails(jails))}",
        test=TEST_START,
        probe=probe,
    )
    restart = restart_jails(jails) if beside else f"systemctl restart {UNIT}"
    lost_bans = Change("unit", UNIT, "restart", "the kernel has lost bans", effect=EFFECT)
    ensure(
        name="Enforce the bans",
        change=replace(lost_bans, kind="jail", target=", ".join(jails), effect=OUR_JAILS_EFFECT)
        if beside
        else lost_bans,
        test=bans_enforced(jails),  # which a server that is down passes: it knows of no ban
        settled_by=(restart_target(UNIT),),
        command=f"{restart}\nfor i in $(seq 50); do if {probe}; then break; fi; sleep 0.2; done",
    )
