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
from deploys.nginx.beside import deploy_beside
from deploys.nginx.judging import bucket_conflicts
from deploys.nginx.maintenance import prepare_maintenance
from deploys.nginx.owned import deploy_own
from deploys.nginx.settings import VERSIONS, Nginx
from deploys.operations.change import Change
from deploys.operations.files import directory
from deploys.operations.foreign import refuse_foreign
from deploys.operations.shell import ensure
from deploys.sites import DEFAULT_NAME_BUCKET, MAIN_FILE, OUR_MARK, name_bucket
from deploys.stack import Stack, Topology

KEY, LOG_MODE = ("root", "root", "0600"), ("adm", "0640")


@deploy("Nginx")
def deploy_nginx(settings: Nginx, stack: Stack, topology: Topology, origins: configuration.Origins) -> None:
    machine, is_marked = host.get_fact(MachineState), host.get_fact(Marks).get("nginx") == OUR_MARK
    needs_bucket = name_bucket(stack.names) > DEFAULT_NAME_BUCKET
    # An Nginx of ours is asked nothing, unless another site may answer for one of our names, or makes room for them.
    nginx = NginxOnHost() if is_marked and not stack.aliases and not needs_bucket else host.get_fact(NginxState)
    names_elsewhere, is_ours = (
        tuple(places.sites_by_name(nginx.sites, stack.aliases)),
        is_marked or not nginx.owner_files,
    )
    version: configuration.Version = VERSIONS[machine.os, machine.release] if is_ours else nginx.version
    make_place = places.own_place if is_ours else partial(places.shared_place, nginx.sites)
    owner_sets_bucket = needs_bucket and nginx.sites.name_bucket_file not in {"", MAIN_FILE}
    place = replace(make_place(settings.ipv6 and machine.ipv6, names_elsewhere), has_bucket_size=owner_sets_bucket)
    if is_ours and owner_sets_bucket:
        refuse_foreign(bucket_conflicts(nginx, stack.names))
    site = configuration.site(settings, stack, topology, version, place, origins)
    generation = configuration.configuration_digest(settings, stack, topology, version, place, origins)
    prepare = partial(_prepare, settings, stack, version, place)
    if is_ours:
        deploy_own(settings, configuration.main_file(settings, stack, place), stack, site, generation, prepare, place)
    else:
        deploy_beside(settings, stack, site, generation, prepare, place)


def _prepare(settings: Nginx, stack: Stack, version: configuration.Version, place: places.SitePlace) -> None:
    """Make what our site needs before Nginx can read it."""
    _certificates(stack, version, place)
    _logs(place.user)
    prepare_maintenance(settings, place.user)


def _certificates(stack: Stack, version: configuration.Version, place: places.SitePlace) -> None:
    _folder("challenges", stack.challenges, "0755", place)
    _folder("certificates", stack.certificate.rpartition("/")[0], "0700", place)
    needed = [stack.certificate] + [configuration.UNKNOWN_NAME_CERTIFICATE] * (
        not configuration.can_reject_handshake(version)
    )
    for path in host.loop(needed):
        ensure(
            name=f"Have a certificate in {path}",
            change=Change("certificate", path, "create", "so that nginx can start", becomes="a placeholder"),
            test=commands.is_usable(path),
            command=commands.make_placeholder(path),
        )
        ensure(
            name=f"Keep the key in {path} private",
            change=Change("file", path, "update", "mode or owner", becomes="0600 root:root"),
            was=commands.show_mode(path),
            test=f"test ! -e {path} || {commands.is_private(path, *KEY)}",
            command=commands.make_private(path, *KEY),
        )


def _folder(content: str, path: str, mode: str, place: places.SitePlace) -> None:
    """Make a place for our files. In an owner's Nginx one that is there already keeps its mode: it may be his."""
    if not place.beside:
        directory(name=f"Make a place for {content}", path=path, mode=mode)
        return
    ensure(
        name=f"Make a place for {content}",
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
            was=commands.show_mode(log),
            test=f"test ! -e {log} || {commands.is_private(log, user, *LOG_MODE)}",
            command=commands.make_private(log, user, *LOG_MODE),
        )
