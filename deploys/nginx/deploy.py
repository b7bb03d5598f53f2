"""Nginx runs with our configuration alone, and with a placeholder for a certificate until there is one."""

from __future__ import annotations

from pyinfra.api.deploy import deploy
from pyinfra.context import host

from deploys.component import template
from deploys.facts.machine import MachineState
from deploys.nginx import commands, configuration
from deploys.nginx.checks import checks
from deploys.nginx.settings import PACKAGES, VERSIONS, Nginx
from deploys.operations.change import Change
from deploys.operations.claims import claim
from deploys.operations.files import directory, file, link
from deploys.operations.packages import packages
from deploys.operations.shell import ensure
from deploys.operations.units import unit
from deploys.stack import Stack, Topology

WHOLE = "/etc/nginx/nginx.conf"
SITE = "/etc/nginx/sites-available/health-v1"
ENABLED = "/etc/nginx/sites-enabled/health-v1"
DEFAULT = "/etc/nginx/sites-enabled/default"
DROP_IN = "/etc/systemd/system/nginx.service.d/hardening.conf"
KEY, LOG = ("root", "root", "0600"), ("www-data", "adm", "0640")
# The site is tried by itself: whatever else is wrong under /etc/nginx, it can be put right.
ALONE = """printf 'events {}\\nhttp { include "%s"; }\\n' "$1" > "$1.alone"; nginx -t -q -c "$1.alone\""""


@deploy("Nginx")
def deploy_nginx(settings: Nginx, stack: Stack, topology: Topology) -> None:
    machine = host.get_fact(MachineState)
    version = VERSIONS[machine.os, machine.release]
    packages(name="Install nginx", names=PACKAGES)
    ensure(
        name="Remove the default site",
        change=Change("file", DEFAULT, "remove"),
        test=f"test ! -e {DEFAULT} && test ! -L {DEFAULT}",
        command=f"rm -f {DEFAULT}",
        after=("nginx",),  # the package brings it
    )
    _certificates(stack, version)
    _logs()
    file(name="Write the site", path=SITE, content=configuration.site(settings, stack, topology, version), test=ALONE)
    link(name="Enable the site", path=ENABLED, target=SITE)
    file(name="Write nginx.conf", path=WHOLE, content=configuration.whole(settings), test='nginx -t -q -c "$1"')
    generation = configuration.generation(settings, stack, topology, version)
    _service(settings, commands.works(settings.status_port, generation))
    claim("nginx", checks(settings, stack, generation))


def _certificates(stack: Stack, version: configuration.Version) -> None:
    directory(name="Make a place for challenges", path=stack.challenges)
    directory(name="Make a place for certificates", path=stack.certificate.rpartition("/")[0], mode="0700")
    needed = [stack.certificate] + [configuration.NOBODY] * (not configuration.refuses(version))
    for path in host.loop(needed):
        ensure(
            name=f"Have a certificate in {path}",
            change=Change("certificate", path, "create", "so that nginx can start", becomes="a placeholder"),
            test=commands.usable(path),
            command=commands.make_placeholder(path),
        )
        ensure(
            name=f"Keep the key in {path} private",
            change=Change("file", path, "update", "mode or owner", becomes="0600 root:root"),
            was=commands.shown(path),
            test=f"test ! -e {path} || {commands.private(path, *KEY)}",
            command=commands.make_private(path, *KEY),
        )


def _logs() -> None:
    for kind in host.loop(("access", "error")):
        log = f"{configuration.LOGS}-{kind}.log"
        ensure(
            name=f"Keep the {kind} log private",
            change=Change("file", log, "update", "mode or owner", becomes="0640 www-data:adm"),
            was=commands.shown(log),
            test=f"test ! -e {log} || {commands.private(log, *LOG)}",
            command=commands.make_private(log, *LOG),
        )


def _service(settings: Nginx, works: str) -> None:
    directory(name="Make a place for what the unit may do", path=DROP_IN.rpartition("/")[0])
    file(name="Harden the unit", path=DROP_IN, content=template("nginx/hardening.conf", settings=settings))
    unit(
        name="Run nginx",
        unit="nginx.service",
        effect="the website is away for a moment; requests that are under way are cut",
        restart_on=(DROP_IN,),
        reload_on=(WHOLE, SITE, ENABLED),
        test=commands.ACCEPTED,
        probe=works,
        wait=20,
    )
