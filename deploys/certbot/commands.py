"""What is run on a host to get the certificate, and to see that a challenge would be answered."""

from __future__ import annotations

import shlex

from deploys.before import keep_aside
from deploys.certbot.settings import Certbot
from deploys.stack import Stack

HOOK = "/etc/letsencrypt/renewal-hooks/deploy/serve-certificate"
WRAPPER = "/usr/local/sbin/certbot"
"""Stands before certbot in root's path where a directory needs an authority of its own."""
CERTBOT = "/usr/bin/certbot"
LETSENCRYPT = "/etc/letsencrypt"
LOCK = f"{LETSENCRYPT}/.certbot.lock"
ACCOUNT = "/usr/local/sbin/health-v1-account"
"""Has an account at the authority that renews ours, also where that has forgotten the one it had."""
_BACKUP_PREFIX = f"{LETSENCRYPT}/.health-v1-remains"

# An earlier run that outlived its operator is waited for: certbot itself would give up at once.
_WAIT_FOR_LOCK = f"""timeout 120 python3 -c 'import fcntl; fcntl.lockf(open("{LOCK}", "w"), fcntl.LOCK_EX)' ||
  {{ echo "another certbot has been running for two minutes" >&2; exit 1; }}"""


def fetch(settings: Certbot, stack: Stack, lineage: str) -> str:
    """Return shell that gets the certificate through port 80; `$1` is "create" or "renew".

    The authority is asked once, for it counts what fails; before it is, challenges are tried from here.
    """
    account = f"$(sed -n 's/^account = //p' {lineage_paths(lineage)[2]} 2>/dev/null || true)"
    no_answer = 'echo "nginx does not answer challenges for $name on port 80" >&2; exit 1;'
    trials = "\n".join(f"name={name}; {answers_challenges(stack, name)} || {{ {no_answer} }}" for name in stack.names)
    return f"""{_WAIT_FOR_LOCK}
{trials}
{ACCOUNT}
account={account}; [ -d "{accounts_folder(settings)}/$account" ] || account=
certbot={CERTBOT}; [ ! -x {WRAPPER} ] || certbot={WRAPPER}
mode=--keep-until-expiring
if [ "$1" = renew ]; then mode=--force-renewal
elif ! openssl x509 -in {LETSENCRYPT}/live/{lineage}/cert.pem -noout 2>/dev/null ||
  [ ! -s {LETSENCRYPT}/renewal/{lineage}.conf ]; then {_move_remains(lineage)}; fi
"$certbot" {shlex.join(_arguments(settings, stack, lineage))} ${{account:+--account "$account"}} "$mode" >&2
trap - EXIT HUP INT TERM; rm -rf -- {_BACKUP_PREFIX}.*"""


def lineage_paths(lineage: str) -> tuple[str, ...]:
    """Return what certbot keeps of a lineage."""
    return (
        f"{LETSENCRYPT}/live/{lineage}",
        f"{LETSENCRYPT}/archive/{lineage}",
        f"{LETSENCRYPT}/renewal/{lineage}.conf",
    )


def _move_remains(lineage: str) -> str:
    """Return shell that moves what a killed certbot left out of the way: it makes the next one choose another name.

    The lineage is ours by its mark. A certificate or key in it is copied aside first, and all of it comes back
    unless the authority answers.
    """
    paths = lineage_paths(lineage)
    return f"""
  if find -L {paths[0]} {paths[1]} -name '*.pem' -size +0 2>/dev/null | grep -q .; then
    {keep_aside(f"lineage {lineage}", paths)}; fi
  aside=$(mktemp -d {_BACKUP_PREFIX}.XXXXXX); trap 'exit 1' HUP INT TERM
  trap 'for part in live archive renewal; do for it in "$aside/$part"/*; do [ ! -e "$it" ] ||
    {{ rm -rf "{LETSENCRYPT}/$part/${{it##*/}}"; mv -T "$it" "{LETSENCRYPT}/$part/${{it##*/}}"; }}; done; done
    rm -rf "$aside"' EXIT
  for it in {" ".join(paths)}; do [ ! -e "$it" ] || {{ part=${{it%/*}}; part=$aside/${{part##*/}}
    mkdir -p "$part"; mv "$it" "$part"; }}; done"""


def accounts_folder(settings: Certbot) -> str:
    """Return where certbot keeps the accounts of the directory."""
    return f"{LETSENCRYPT}/accounts/{settings.directory_url.partition('://')[2]}"


def account_values(settings: Certbot) -> dict[str, object]:
    """Return what the script `ACCOUNT` is made of."""
    return {
        "accounts": accounts_folder(settings),
        "keep": keep_aside(f"accounts of {settings.directory_url}", [accounts_folder(settings)]),
        "register": shlex.join(["register", *_account_options(settings)]),
        "certbot": CERTBOT,
        "wrapper": WRAPPER,
    }


def _account_options(settings: Certbot) -> list[str]:
    contact = ["--email", settings.email] if settings.email else ["--register-unsafely-without-email"]
    return ["--non-interactive", "--agree-tos", "--no-eff-email", *contact, "--server", settings.directory_url]


def _arguments(settings: Certbot, stack: Stack, lineage: str) -> list[str]:
    domains = [word for name in stack.names for word in ("--domain", name)]
    return [
        *("certonly", *_account_options(settings), "--webroot", "--webroot-path", stack.challenges),
        *("--cert-name", lineage, *domains, "--renew-with-new-domains", "--key-type", "ecdsa"),
    ]


def answers_challenges(stack: Stack, name: str) -> str:
    """Return a test that succeeds when what lies among the challenges is served to a visitor of `name`."""
    path = "/.well-known/acme-challenge"
    folder = f"{stack.challenges}{path}"
    request = f"curl -fsS --noproxy '*' --max-time 5 -H 'Host: {name}' http://127.0.0.1{path}/try.$$"
    return (
        f"(umask 022; test -d {stack.challenges} && mkdir -p {folder} && "
        f'trap "rm -f {folder}/try.$$" EXIT && echo $$ > {folder}/try.$$ && test "$({request})" = $$)'
    )
