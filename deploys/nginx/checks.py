"""What holds of nginx on its host. What a visitor sees is tried from outside."""

from __future__ import annotations

from deploys.component import Check
from deploys.nginx.commands import TEST_CONFIGURATION, is_private, is_usable, is_working
from deploys.nginx.configuration import BODIES, LOGS
from deploys.nginx.places import SitePlace
from deploys.nginx.settings import Nginx
from deploys.paths import CLOSED
from deploys.recovery import check_restart
from deploys.sites import HAS_STOCK_SITE
from deploys.stack import Stack

WATCH, ENDER = "health-v1-maintenance.path", "health-v1-maintenance.service"
"""The first starts the second while a maintenance is on."""
EXPOSURE = 35
"""Tenths: what `systemd-analyze security` may say of the unit at most. It has to bind ports and to change users."""


def checks(settings: Nginx, stack: Stack, generation: str, user: str) -> list[Check]:
    """Return what holds of our site, whoever's the Nginx is."""
    return [
        Check("Nginx accepts its configuration", TEST_CONFIGURATION, "run: nginx -t, and mend the file it names"),
        Check(
            "Nginx's workers answer, and run with the configuration that was applied",
            is_working(settings.status_port, generation),
            "read: journalctl -u nginx, and /var/log/nginx; then run: systemctl restart nginx",
        ),
        Check(
            "Nginx starts with the host",
            "systemctl is-enabled --quiet nginx.service",
            "run: systemctl enable nginx",
        ),
        Check(
            "The certificate is usable, and its key is for root alone",
            f"{is_usable(stack.certificate)} && {is_private(stack.certificate, 'root', 'root', '0600')}",
            "run: healthv1 apply ENV",
        ),
        Check(
            "Nginx's logs are private",
            " && ".join(is_private(f"{LOGS}-{kind}.log", user, "adm", "0640") for kind in ("access", "error")),
            "run: healthv1 apply ENV",
        ),
        *_maintenance_checks(settings),
    ]


def _maintenance_checks(settings: Nginx) -> list[Check]:
    """Return what holds while a maintenance is on as well as while none is."""
    known = f'test "$(curl -fsS --noproxy "*" --max-time 5 http://127.0.0.1:{settings.status_port}/maintenance)"'
    return [
        Check(
            "Nginx sees whether a maintenance is on",
            f"if [ -e {CLOSED} ]; then {known} = on; else {known} = off; fi",
            "run: healthv1 apply ENV",
        ),
        Check(
            "A maintenance ends by itself",
            f"systemctl is-active --quiet {WATCH} && systemctl is-enabled --quiet {WATCH}"
            f" && {{ ! [ -e {CLOSED} ] || systemctl is-active --quiet {ENDER}; }}",
            f"run: healthv1 apply ENV; read: journalctl -u {ENDER}",
        ),
    ]


def own_nginx_checks() -> list[Check]:
    """Return what holds besides of an Nginx that is ours."""
    return [
        Check(
            "The package's own site is off",
            f"! {HAS_STOCK_SITE}",
            "run: healthv1 apply ENV",
        ),
        check_restart("Nginx", "nginx.service"),
        Check(
            "Bodies on their way wait in memory that nginx alone can see",
            "grep -q ' /var/lib/nginx/body .* tmpfs ' /proc/$(systemctl show -p MainPID --value nginx)/mountinfo",
            "run: systemctl restart nginx",
        ),
        Check(
            "The workers are not root",
            "test -n \"$(pgrep -u www-data -f '^nginx: worker')\" && test -z \"$(pgrep -u root -f '^nginx: worker')\"",
            "run: healthv1 apply ENV",
        ),
        Check(
            f"Nginx is exposed to at most {EXPOSURE / 10}",
            f"systemd-analyze security --no-pager --threshold={EXPOSURE} nginx.service >/dev/null",
            "read: systemd-analyze security nginx",
        ),
    ]


def shared_nginx_checks(place: SitePlace) -> list[Check]:
    """Return what holds besides of our site in an owner's Nginx."""
    return [
        Check(
            "Nginx reads our site",
            f"nginx -T 2>/dev/null | grep -qxF '# configuration file {place.include}:'",
            "run: healthv1 apply ENV",
        ),
        Check(
            "Bodies on their way wait in memory that nginx alone can read",
            f"grep -q ' {BODIES} .* tmpfs ' /proc/$(systemctl show -p MainPID --value nginx)/mountinfo"
            f' && test "$(stat -c %a {BODIES})" = 700',
            "run: healthv1 apply ENV; then run: systemctl reload nginx",
        ),
    ]
