"""An Nginx of ours: its whole configuration, its unit's rights, and who answers for unknown names."""

from __future__ import annotations

from collections.abc import Callable

from deploys import recovery
from deploys.component import Text, template
from deploys.marks import MANAGED, has_mark, mark
from deploys.nginx import commands, limits, places
from deploys.nginx.checks import checks, own_nginx_checks
from deploys.nginx.settings import PACKAGES, Nginx
from deploys.operations.change import Change
from deploys.operations.claims import claim
from deploys.operations.files import absent, directory, file, link
from deploys.operations.packages import packages
from deploys.operations.shell import ensure
from deploys.operations.units import unit
from deploys.paths import STAMPS
from deploys.sites import FIND_OWNER_FILES, HAS_STOCK_SITE, MAIN_FILE, OUR_MARK
from deploys.stack import Stack

DEFAULT = "/etc/nginx/sites-enabled/default"
DROP_IN = "/etc/systemd/system/nginx.service.d/hardening.conf"
USER = "www-data"
# Where an earlier version of ours made it there is no mark yet; everywhere else it has to be vacant still.
_REFUSE_FOREIGN_SITES = f"""{FIND_OWNER_FILES}
if ! head -n 2 {MAIN_FILE} 2>/dev/null | grep -qF '{MANAGED}' && [ ! -e {STAMPS}/nginx.service.restart ]; then
theirs=$(theirs); [ -z "$theirs" ] || {{ echo "nginx serves what is not ours by now: $theirs" >&2; exit 1; }}; fi"""


def deploy_own(
    settings: Nginx,
    main_text: Text,
    stack: Stack,
    site: Text,
    generation: str,
    prepare: Callable[[], None],
    place: places.SitePlace,
) -> None:
    """Have Nginx run as ours: it is, or nothing but what its package brought is there."""
    ensure(
        name="Mark Nginx as ours",
        change=Change("mark", "nginx", "create", "nobody else's sites are there"),
        test=has_mark("nginx", OUR_MARK),
        command=f"{_REFUSE_FOREIGN_SITES}\n{mark('nginx', OUR_MARK)}",
    )
    packages(name="Install nginx", names=PACKAGES)
    ensure(
        name="Remove the default site",
        change=Change("file", DEFAULT, "remove", "it is as the package brought it"),
        test=f"! {HAS_STOCK_SITE}",
        command=f"if {HAS_STOCK_SITE}; then rm -f {DEFAULT}; fi",
        after=("nginx",),  # the package brings it
    )
    prepare()
    _write(main_text, site)
    _service(settings, commands.is_working(settings.status_port, generation))
    limit_checks = limits.checks(settings, stack, place)
    claim("nginx", [*checks(settings, stack, generation, USER), *own_nginx_checks(), *limit_checks])


def _write(main_text: Text, site: Text) -> None:
    for path in (places.LINK, places.FILE):  # from when the owner had sites here
        absent(name=f"Have nothing in {path}", path=path)
    file(name="Write the site", path=places.AVAILABLE, content=site, test=commands.TEST_SITE)
    link(name="Enable the site", path=places.ENABLED, target=places.AVAILABLE)
    # By its mark Nginx is ours: what is changed in it later is put right.
    file(name="Write nginx.conf", path=MAIN_FILE, content=main_text, test='nginx -t -q -c "$1"', ours=True)


def _service(settings: Nginx, probe: str) -> None:
    directory(name="Make a place for what the unit may do", path=DROP_IN.rpartition("/")[0])
    file(name="Harden the unit", path=DROP_IN, content=template("nginx/hardening.conf", settings=settings))
    restart_path, restart_text = recovery.drop_in_path("nginx.service"), recovery.drop_in_text()
    file(
        name="Have it started again when it is killed",
        path=restart_path,
        content=restart_text,
        test_in_place=recovery.RELOAD_SYSTEMD,
    )
    unit(
        name="Run nginx",
        unit="nginx.service",
        effect="the website is away for a moment; requests that are under way are cut",
        restart_on=(DROP_IN,),
        reload_on=(MAIN_FILE, places.AVAILABLE, places.ENABLED),
        test=commands.TEST_CONFIGURATION,
        probe=probe,
        wait=20,
    )
