"""What a maintenance of the website needs on an edge host: Nginx sees whether one is on, and it ends by itself.

Nginx tests for a file with every request: nothing is reloaded to switch. A service compares the host's clock with the
noted end for as long as one is on, after a reboot as well. While nobody can read the end, the website stays closed.
"""

from __future__ import annotations

from pyinfra.context import host

from deploys.component import template
from deploys.nginx.checks import ENDER, WATCH
from deploys.nginx.settings import Nginx
from deploys.operations.change import Change
from deploys.operations.files import file
from deploys.operations.shell import ensure
from deploys.operations.units import unit
from deploys.paths import CLOSED, FOLDER, MAINTENANCE

SCRIPT = "/usr/local/sbin/health-v1-maintenance"
UNITS = "/etc/systemd/system"


def prepare_maintenance(settings: Nginx, user: str) -> None:
    """Have what a maintenance needs. Whether one is on is for `healthv1 maintenance` to say, and for no apply."""
    ensure(
        name="Let Nginx see whether a maintenance is on",
        change=Change("directory", MAINTENANCE, "create", becomes="0755 root:root, which Nginx's workers reach"),
        test=_is_reached(user),
        command=f"install -d -m 0755 -o root -g root {MAINTENANCE}\n{_group(user)}\n"
        f'chgrp -- "$group" {FOLDER}; chmod 0710 {FOLDER}',
    )
    values = {"settings": settings, "folder": MAINTENANCE, "closed": CLOSED, "script": SCRIPT}
    content = template("nginx/health-v1-maintenance", **values)
    file(name="Write what ends a maintenance", path=SCRIPT, content=content, mode="0755", test='sh -n "$1"')
    for name in host.loop((ENDER, WATCH)):
        file(name=f"Write {name}", path=f"{UNITS}/{name}", content=template(f"nginx/{name}", **values))
    unit(
        name="Have a maintenance end by itself",
        unit=WATCH,
        effect="nobody is interrupted",
        restart_on=(f"{UNITS}/{WATCH}", f"{UNITS}/{ENDER}"),
    )


def _group(user: str) -> str:
    """Return shell that sets `group` to the workers' group: Nginx takes the one of the user's name."""
    return f"group=$(getent group {user} >/dev/null && echo {user} || id -gn {user})"


def _is_reached(user: str) -> str:
    return (
        f'{_group(user)}; test "$(stat -c "%a %G" {FOLDER})" = "710 $group"'
        f' && test "$(stat -c "%a %U" {MAINTENANCE})" = "755 root"'
    )
