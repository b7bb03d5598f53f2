"""What is run on a host to get the certificate, and to see that a challenge would be answered."""

from __future__ import annotations

import shlex

from deploys.certbot.settings import Certbot
from deploys.stack import Stack

HOOK = "/etc/letsencrypt/renewal-hooks/deploy/serve-certificate"
WRAPPER = "/usr/local/sbin/certbot"
"""Stands before certbot in root's path where a directory needs an authority of its own."""
LOCK = "/etc/letsencrypt/.certbot.lock"

# An earlier run that outlived its operator is waited for: certbot itself would give up at once.
_WAIT = f"""timeout 120 python3 -c 'import fcntl; fcntl.lockf(open("{LOCK}", "w"), fcntl.LOCK_EX)' ||
  {{ echo "another certbot has been running for two minutes" >&2; exit 1; }}"""


def fetch(settings: Certbot, stack: Stack) -> str:
    """Return shell that gets the certificate through port 80; `$1` is "create" or "renew".

    The authority is asked once, for it counts what fails; before it is, a challenge is tried from here.
    """
    live, name = "/etc/letsencrypt/live", stack.domain
    remains = f"{live}/{name} /etc/letsencrypt/archive/{name} /etc/letsencrypt/renewal/{name}.conf"
    return f"""{_WAIT}
{answers_challenges(stack)} || {{ echo "nginx does not answer challenges for {name} on port 80" >&2; exit 1; }}
certbot=/usr/bin/certbot; [ ! -x {WRAPPER} ] || certbot={WRAPPER}
mode=--keep-until-expiring
if [ "$1" = renew ]; then mode=--force-renewal
elif ! openssl x509 -in {live}/{name}/cert.pem -noout 2>/dev/null || [ ! -s /etc/letsencrypt/renewal/{name}.conf ]
then rm -rf -- {remains}; fi # what a killed certbot leaves makes the next one choose another name
"$certbot" {shlex.join(_arguments(settings, stack))} "$mode" >&2"""


def _arguments(settings: Certbot, stack: Stack) -> list[str]:
    contact = ["--email", settings.email] if settings.email else ["--register-unsafely-without-email"]
    return [
        *("certonly", "--non-interactive", "--agree-tos", "--no-eff-email", *contact),
        *("--server", settings.directory_url, "--webroot", "--webroot-path", stack.challenges),
        *("--cert-name", stack.domain, "--domain", stack.domain, "--renew-with-new-domains", "--key-type", "ecdsa"),
    ]


def answers_challenges(stack: Stack) -> str:
    """Return a test that succeeds when what lies among the challenges is served to a visitor."""
    path = "/.well-known/acme-challenge"
    at = f"{stack.challenges}{path}"
    ask = f"curl -fsS --noproxy '*' --max-time 5 -H 'Host: {stack.domain}' http://127.0.0.1{path}/try.$$"
    return (
        f"(umask 022; test -d {stack.challenges} && mkdir -p {at} && "
        f'trap "rm -f {at}/try.$$" EXIT && echo $$ > {at}/try.$$ && test "$({ask})" = $$)'
    )
