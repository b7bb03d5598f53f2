"""What holds of nginx on its host. What a visitor sees is tried from outside."""

from __future__ import annotations

from deploys.component import Check
from deploys.nginx.commands import ACCEPTED, private, usable, works
from deploys.nginx.configuration import LOGS
from deploys.nginx.settings import Nginx
from deploys.stack import Stack

EXPOSURE = 35
"""Tenths: what `systemd-analyze security` may say of the unit at most. It has to bind ports and to change users."""


def checks(settings: Nginx, stack: Stack, generation: str) -> list[Check]:
    return [
        Check("Nginx accepts its configuration", ACCEPTED, "run: nginx -t, and mend the file it names"),
        Check(
            "Nginx's workers answer, and run with the configuration that was applied",
            works(settings.status_port, generation),
            "read: journalctl -u nginx, and /var/log/nginx; then run: systemctl restart nginx",
        ),
        Check(
            "Nginx starts with the host",
            "systemctl is-enabled --quiet nginx.service",
            "run: systemctl enable nginx",
        ),
        Check(
            "The default site is off",
            "test ! -e /etc/nginx/sites-enabled/default && test ! -L /etc/nginx/sites-enabled/default",
            "run apply",
        ),
        Check(
            "The certificate is usable, and its key is for root alone",
            f"{usable(stack.certificate)} && {private(stack.certificate, 'root', 'root', '0600')}",
            "run apply",
        ),
        Check(
            "Nginx's logs are private",
            " && ".join(private(f"{LOGS}-{kind}.log", "www-data", "adm", "0640") for kind in ("access", "error")),
            "run apply",
        ),
        Check(
            "Bodies on their way wait in memory that nginx alone can see",
            "grep -q ' /var/lib/nginx/body .* tmpfs ' /proc/$(systemctl show -p MainPID --value nginx)/mountinfo",
            "run: systemctl restart nginx",
        ),
        Check(
            "The workers are not root",
            "test -n \"$(pgrep -u www-data -f '^nginx: worker')\" && test -z \"$(pgrep -u root -f '^nginx: worker')\"",
            "run apply",
        ),
        Check(
            f"Nginx is exposed to at most {EXPOSURE / 10}",
            f"systemd-analyze security --no-pager --threshold={EXPOSURE} nginx.service >/dev/null",
            "read: systemd-analyze security nginx",
        ),
    ]
