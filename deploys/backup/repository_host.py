"""A host keeps the backups of another: pgBackRest's server lets that one in, and sees nothing but their folder."""

from __future__ import annotations

from pyinfra.api.deploy import deploy
from pyinfra.context import host

from deploys.backup.configuration import SERVER_FILE, server_file
from deploys.backup.placement import CLIENT, SERVER
from deploys.backup.repository_checks import checks, serves
from deploys.backup.settings import ReachedHost
from deploys.certificates import deploy_certificate
from deploys.component import Secret, template
from deploys.facts.machine import MachineState
from deploys.facts.marks import Marks
from deploys.facts.probe import Succeeds
from deploys.faults import Fault, Refused
from deploys.foreign import Foreign
from deploys.marks import mark
from deploys.operations.change import Change
from deploys.operations.claims import claim
from deploys.operations.files import directory, file
from deploys.operations.foreign import refuse_foreign
from deploys.operations.packages import packages
from deploys.operations.shell import ensure
from deploys.operations.units import unit
from deploys.tls import AUTHORITY, DIRECTORY, HostIdentity, Peer

ACCOUNT = "health-v1-backups"
MARK = "repository"
UNIT = "health-v1-repository.service"
UNIT_FILE = f"/etc/systemd/system/{UNIT}"
RELEASES = (("debian", "13"),)
"""Distributions with a pgBackRest that another host can back up onto. Both hosts need the same version of it."""
_EXISTS = f"getent passwd {ACCOUNT} >/dev/null && getent group {ACCOUNT} >/dev/null"
_CREATE = f"""getent group {ACCOUNT} >/dev/null || groupadd --system {ACCOUNT}
getent passwd {ACCOUNT} >/dev/null ||
  useradd --system --gid {ACCOUNT} --home-dir /nonexistent --no-create-home --shell /usr/sbin/nologin {ACCOUNT}"""


@deploy("Repository")
def deploy_repository_host(settings: ReachedHost, identity: HostIdentity, client: Peer, ca_key: Secret) -> None:
    """Keep the backups of the host `client`."""
    _refuse()
    packages(name="Install pgBackRest", names=("pgbackrest", "openssl"))
    ensure(
        name="Create an account for it",
        change=Change("account", ACCOUNT, "create", becomes="/nonexistent /usr/sbin/nologin"),
        test=_EXISTS,
        command=f"{mark(MARK, settings.folder)}\n{_CREATE}",
    )
    directory(name="Make a place for backups", path=settings.folder, mode="0750", user=ACCOUNT, group=ACCOUNT)
    directory(name="Make a place for its settings", path="/etc/health-v1")
    files = deploy_certificate(identity=identity.as_part(SERVER), ca_key=ca_key, group=ACCOUNT)
    file(
        name="Write repository.conf",
        path=SERVER_FILE,
        content=lambda: server_file(settings, files, client.identity.as_part(CLIENT).name),
    )
    file(
        name="Write the unit",
        path=UNIT_FILE,
        content=template(
            f"backup/{UNIT}", settings=settings, account=ACCOUNT, certificates=DIRECTORY, conf=SERVER_FILE
        ),
    )
    unit(
        name="Run the repository",
        unit=UNIT,
        effect="WAL and a backup that is under way wait, or are tried again",
        restart_on=(UNIT_FILE, SERVER_FILE, "/usr/bin/pgbackrest"),
        reload_on=(files.certificate, files.key, AUTHORITY),
        probe=serves(settings, files),
    )
    claim("backup", checks(settings, files, ACCOUNT, UNIT))


def _refuse() -> None:
    """Refuse what could not work, and an account of that name which is somebody else's."""
    machine = host.get_fact(MachineState)
    if (machine.os, machine.release) not in RELEASES:
        what = "This distribution's pgBackRest cannot be backed up onto by another host: before 2.55."
        raise Refused(Fault(host.name, what, "take a host with Debian 13 into the group repository"))
    if MARK not in host.get_fact(Marks) and host.get_fact(Succeeds, test=f"getent passwd {ACCOUNT}"):
        what, consequence = "It is there, and not ours.", "It could read and delete the backups."
        refuse_foreign([Foreign(f"account {ACCOUNT}", what, consequence, "rename it")])


@deploy("Repository")
def leave_repository() -> None:
    """Keep nobody's backups any more. Those that are there stay."""
    ensure(
        name="Stop the repository",
        change=Change("unit", UNIT, "stop", "no backup goes to this host any more", becomes="disabled"),
        test=f"! systemctl is-enabled --quiet {UNIT} && ! systemctl is-active --quiet {UNIT}",
        command=f"systemctl disable --now {UNIT}",
    )
