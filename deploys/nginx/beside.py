"""Our site in an Nginx of the host's owner: a file of its own. The rest stays his, and is never restarted."""

from __future__ import annotations

from collections.abc import Callable

from pyinfra.api.operation import operation
from pyinfra.context import host

from deploys.component import Text, template
from deploys.facts.nginx import NginxState
from deploys.nginx import commands, configuration, limits, places
from deploys.nginx.checks import checks, shared_nginx_checks
from deploys.nginx.judging import nginx_conflicts
from deploys.nginx.settings import PACKAGES, Nginx
from deploys.operations.change import Change, Commands
from deploys.operations.claims import claim
from deploys.operations.files import file
from deploys.operations.foreign import refuse_foreign
from deploys.operations.packages import packages
from deploys.operations.shell import ensure
from deploys.operations.units import unit
from deploys.stack import Stack

MOUNT = "run-healthv1_body.mount"
EFFECT = "its owner's sites go on: nobody is interrupted"


@operation()
def refuse_site_conflicts(place: places.SitePlace, names: tuple[str, ...]) -> Commands:
    """Refuse an Nginx of the owner's in which our site cannot be served, or would take something from his."""
    refuse_foreign(nginx_conflicts(host.get_fact(NginxState), place, names))
    host.noop("our site can stand beside the owner's")
    yield from ()


def deploy_beside(
    settings: Nginx, stack: Stack, site: Text, generation: str, prepare: Callable[[], None], place: places.SitePlace
) -> None:
    """Have our site served beside the owner's."""
    refuse_site_conflicts(name="Look at the owner's sites", place=place, names=stack.names)
    # His may be of another name: nginx-full, or its author's own.
    packages(name="Install what the site needs", names=tuple(name for name in PACKAGES if name != "nginx"))
    _mount_bodies(settings)
    prepare()
    _write(site, place)
    works = commands.is_working(settings.status_port, generation)
    ensure(
        name="Have nginx take it up",
        change=Change("unit", "nginx.service", "reload", "to take up our site", effect=EFFECT),
        test=works,
        after=(places.AVAILABLE, place.include),
        command=f"{commands.TEST_CONFIGURATION}\nsystemctl reload nginx.service\n"
        f"for i in $(seq 100); do if {works}; then break; fi; sleep 0.2; done",
    )
    limit_checks = limits.checks(settings, stack, place)
    claim("nginx", [*checks(settings, stack, generation, place.user), *shared_nginx_checks(place), *limit_checks])


def _mount_bodies(settings: Nginx) -> None:
    path = f"/etc/systemd/system/{MOUNT}"
    text = template(f"nginx/{MOUNT}", settings=settings, bodies=configuration.BODIES)
    file(name="Write where bodies wait", path=path, content=text)
    effect = "nobody is interrupted"
    unit(name="Have bodies wait in memory", unit=MOUNT, effect=effect, reload_on=(path,))


def _write(site: Text, place: places.SitePlace) -> None:
    if place.include == places.FILE:
        file(name="Write the site", path=places.FILE, content=site, test_in_place=commands.TEST_CONFIGURATION)
        return
    file(
        name="Write the site",
        path=places.AVAILABLE,
        content=site,
        test=commands.TEST_SITE,
        test_in_place=commands.TEST_CONFIGURATION,
    )
    undo = f"rm -f {places.LINK}; exit 1;"
    ensure(
        name="Enable the site",
        change=Change("link", places.LINK, "create", becomes=places.AVAILABLE),
        test=f'test "$(readlink {places.LINK})" = {places.AVAILABLE}',
        command=f"ln -sfnT {places.AVAILABLE} {places.LINK}\n{commands.TEST_CONFIGURATION} >&2 || {{ {undo} }}",
    )
