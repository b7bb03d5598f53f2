"""What holds of the certificate on its host."""

from __future__ import annotations

from deploys.certbot.commands import ACCOUNT, HOOK, answers_challenges, lineage_paths
from deploys.certbot.settings import Certbot
from deploys.component import Check
from deploys.stack import Stack


def checks(settings: Certbot, stack: Stack, lineage: str) -> list[Check]:
    live, _, renewal = lineage_paths(lineage)
    show_served = f"openssl s_client -connect 127.0.0.1:443 -servername {stack.domain} </dev/null 2>/dev/null"
    serial = "openssl x509 -noout -serial"
    return [
        Check(
            "The certificate that is served is the one in its place",
            f'test "$({show_served} | {serial})" = "$({serial} -in {stack.certificate})"',
            "run: systemctl reload nginx",
        ),
        Check(
            "In its place is the one that certbot keeps",
            f"cat {live}/fullchain.pem {live}/privkey.pem | cmp -s - {stack.certificate}",
            "run: healthv1 apply ENV",
        ),
        Check(
            f"The certificate lasts {settings.ahead} days more, or a third of its life",
            f'at() {{ date -d "$(openssl x509 -in {stack.certificate} -noout -$1 | cut -d= -f2)" +%s; }}; '
            f"began=$(at startdate) && ends=$(at enddate) && left=$((ends - $(date +%s))) && "
            f"test $left -ge {settings.ahead * 86400} -o $((left * 3)) -ge $((ends - began))",
            "read: journalctl -u certbot, and /var/log/letsencrypt; then run: systemctl start certbot",
        ),
        Check(
            "It is renewed by the directory that was chosen, through port 80",
            f"grep -qxF 'server = {settings.directory_url}' {renewal} && "
            f"grep -qxF 'authenticator = webroot' {renewal} && test -x {HOOK}",
            "run: healthv1 apply ENV",
        ),
        Check(
            "The directory knows the account that renews it",
            f"{ACCOUNT} --check",
            "run: systemctl start certbot",
        ),
        Check(
            "The renewal is on the clock",
            "systemctl is-enabled --quiet certbot.timer && systemctl is-active --quiet certbot.timer",
            "run: systemctl enable --now certbot.timer",
        ),
        Check(
            "A challenge is answered on port 80",
            " && ".join(answers_challenges(stack, name) for name in stack.names),
            "read: journalctl -u nginx; run: healthv1 apply ENV",
        ),
    ]
