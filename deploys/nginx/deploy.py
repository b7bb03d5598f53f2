"""Our site in an Nginx of ours, or beside its owner's; with a placeholder until there is a certificate."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from pyinfra.api.deploy import deploy
from pyinfra.context import host

from deploys.facts.machine import MachineState
from deploys.facts.marks import Marks
from deploys.facts.nginx import NginxOnHost, NginxState
from deploys.nginx import commands, configuration, places
from deploys.nginx.beside import guest
from deploys.nginx.judging import room_for
from deploys.nginx.owned import owned
from deploys.nginx.settings import VERSIONS, Nginx
from deploys.operations.change import Change
from deploys.operations.files import directory
from deploys.operations.foreign import refuse_foreign
from deploys.operations.shell import ensure
from deploys.sites import MAIN, OURS, ROOM, room
from deploys.stack import Stack, Topology

KEY, LOG_MODE = ("root", "root", "0600"), ("adm", "0640")


@deploy("Nginx")
def deploy_nginx(settings: Nginx, stack: Stack, topology: Topology, origins: configuration.Origins) -> None:
    machine, ours = host.get_fact(MachineState), host.get_fact(Marks).get("nginx") == OURS
    long = room(stack.names) > ROOM
    # An Nginx of ours is asked nothing, unless another site may answer for one of our names, or makes room for them.
    found = NginxOnHost() if ours and not stack.aliases and not long else host.get_fact(NginxState)
    elsewhere, here = tuple(places.claiming(found.served, stack.aliases)), ours or not found.theirs
    version: configuration.Version = VERSIONS[machine.os, machine.release] if here else found.version
    stand = places.alone if here else partial(places.beside, found.served)
    roomy = long and found.served.room_in not in {"", MAIN}
    place = replace(stand(settings.ipv6 and machine.ipv6, elsewhere), roomy=roomy)
    if here and roomy:
        refuse_foreign(room_for(found, stack.names))
    site = configuration.site(settings, stack, topology, version, place, origins)
    generation = configuration.generation(settings, stack, topology, version, place, origins)
    prepare = partial(_prepare, stack, version, place)
    if here:
        owned(settings, configuration.whole(settings, stack, place), stack, site, generation, prepare, place)
    else:
        guest(settings, stack, site, generation, prepare, place)


def _prepare(stack: Stack, version: configuration.Version, place: places.SitePlace) -> None:
    """Make what our site needs before Nginx can read it."""
    _certificates(stack, version, place)
    _logs(place.user)


def _certificates(stack: Stack, version: configuration.Version, place: places.SitePlace) -> None:
    _folder("challenges", stack.challenges, "0755", place)
    _folder("certificates", stack.certificate.rpartition("/")[0], "0700", place)
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


def _folder(of: str, path: str, mode: str, place: places.SitePlace) -> None:
    """Make a place for our files. In an owner's Nginx one that is there already keeps its mode: it may be his."""
    if not place.beside:
        directory(name=f"Make a place for {of}", path=path, mode=mode)
        return
    ensure(
        name=f"Make a place for {of}",
        change=Change("directory", path, "create", becomes=f"{mode} root:root"),
        test=f"test -d {path}",
        command=f"install -d -m {mode} -o root -g root {path}",
    )


def _logs(user: str) -> None:
    for kind in host.loop(("access", "error")):
        log = f"{configuration.LOGS}-{kind}.log"
        ensure(
            name=f"Keep the {kind} log private",
            change=Change("file", log, "update", "mode or owner", becomes=f"0640 {user}:adm"),
            was=commands.shown(log),
            test=f"test ! -e {log} || {commands.private(log, user, *LOG_MODE)}",
            command=commands.make_private(log, user, *LOG_MODE),
        )
