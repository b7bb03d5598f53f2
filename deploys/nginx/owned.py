"""An Nginx of ours: its whole configuration, its unit's rights, and who answers for unknown names."""

from __future__ import annotations

from collections.abc import Callable

from deploys import recovery
from deploys.component import Text, template
from deploys.marks import MANAGED, mark, marked
from deploys.nginx import commands, limits, places
from deploys.nginx.checks import checks, of_ours
from deploys.nginx.settings import PACKAGES, Nginx
from deploys.operations.change import Change
from deploys.operations.claims import claim
from deploys.operations.files import absent, directory, file, link
from deploys.operations.packages import packages
from deploys.operations.shell import ensure
from deploys.operations.units import unit
from deploys.paths import STAMPS
from deploys.sites import MAIN, OURS, STOCK_SITE, THEIRS
from deploys.stack import Stack

DEFAULT = "/etc/nginx/sites-enabled/default"
DROP_IN = "/etc/systemd/system/nginx.service.d/hardening.conf"
USER = "www-data"
# Where an earlier version of ours made it there is no mark yet; everywhere else it has to be vacant still.
_OURS_OR_VACANT = f"""{THEIRS}
if ! head -n 2 {MAIN} 2>/dev/null | grep -qF '{MANAGED}' && [ ! -e {STAMPS}/nginx.service.restart ]; then
theirs=$(theirs); [ -z "$theirs" ] || {{ echo "nginx serves what is not ours by now: $theirs" >&2; exit 1; }}; fi"""


def owned(
    settings: Nginx,
    whole: Text,
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
        test=marked("nginx", OURS),
        command=f"{_OURS_OR_VACANT}\n{mark('nginx', OURS)}",
    )
    packages(name="Install nginx", names=PACKAGES)
    ensure(
        name="Remove the default site",
        change=Change("file", DEFAULT, "remove", "it is as the package brought it"),
        test=f"! {STOCK_SITE}",
        command=f"if {STOCK_SITE}; then rm -f {DEFAULT}; fi",
        after=("nginx",),  # the package brings it
    )
    prepare()
    _write(whole, site)
    _service(settings, commands.works(settings.status_port, generation))
    bite = limits.checks(settings, stack, place)
    claim("nginx", [*checks(settings, stack, generation, USER), *of_ours(), *bite])


def _write(whole: Text, site: Text) -> None:
    for path in (places.LINK, places.FILE):  # from when the owner had sites here
        absent(name=f"Have nothing in {path}", path=path)
    file(name="Write the site", path=places.AVAILABLE, content=site, test=commands.ALONE)
    link(name="Enable the site", path=places.ENABLED, target=places.AVAILABLE)
    # By its mark Nginx is ours: what is changed in it later is put right.
    file(name="Write nginx.conf", path=MAIN, content=whole, test='nginx -t -q -c "$1"', ours=True)


def _service(settings: Nginx, works: str) -> None:
    directory(name="Make a place for what the unit may do", path=DROP_IN.rpartition("/")[0])
    file(name="Harden the unit", path=DROP_IN, content=template("nginx/hardening.conf", settings=settings))
    again, words = recovery.path("nginx.service"), recovery.text()
    file(name="Have it started again when it is killed", path=again, content=words, test_in_place=recovery.TAKEN_UP)
    unit(
        name="Run nginx",
        unit="nginx.service",
        effect="the website is away for a moment; requests that are under way are cut",
        restart_on=(DROP_IN,),
        reload_on=(MAIN, places.AVAILABLE, places.ENABLED),
        test=commands.ACCEPTED,
        probe=works,
        wait=20,
    )
