"""What certbot keeps under a name, what is in the file that is served, and what is served."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from pyinfra.api.facts import FactBase

# A renewal's configuration counts only together with a certificate and its key: certbot, when killed, leaves one
# without the other. What is served is compared by its base64: each start of openssl costs.
_STATE = r"""at=/etc/letsencrypt/live/$name renewal=/etc/letsencrypt/renewal/$name.conf
command -v openssl >/dev/null || exit 0
told=$(openssl x509 -in "$at/fullchain.pem" -noout -pubkey -ext subjectAltName -dates)
key=$(printf "%s\n" "$told" | sed -n '/^-----BEGIN/,/^-----END/p')
if [ -s "$renewal" ] && [ -n "$key" ] && [ "$key" = "$(openssl pkey -in "$at/privkey.pem" -pubout)" ]; then
  sed -n 's/^\(server\|authenticator\) = /\1=/p' "$renewal"
  echo "names=$(printf "%s\n" "$told" | grep -o 'DNS:[^, ]*' | cut -d: -f2 | xargs)"
  printf "%s\n" "$told" | sed -n 's/^not[BA][a-z]*=//p' | { date -f - +%s; date +%s; } | {
    read -r begins; read -r ends; read -r now; printf "begins=%s\nends=%s\nnow=%s\n" "$begins" "$ends" "$now"; }
  echo "kept=$(cat "$at/fullchain.pem" "$at/privkey.pem" | sha256sum | cut -c1-64)"
fi
[ ! -f "$file" ] || echo "placed=$(sha256sum < "$file" | cut -c1-64)"
first() { sed -n '/^-----BEGIN CERT/,/^-----END CERT/{/^-----/!p; /^-----END/q}' | tr -d '\n'; }
echo "placed_first=$(first < "$file")"
echo "served_first=$(timeout 5 openssl s_client -connect 127.0.0.1:443 -servername "$name" </dev/null | first)"
"""


@dataclass(frozen=True)
class Certificate:
    whole: bool = False
    """Certbot has it, with its key and the configuration of its renewal. The rest says nothing if not."""
    server: str = ""
    authenticator: str = ""
    names: frozenset[str] = frozenset()
    left: int = 0
    """Seconds until it ends."""
    life: int = 0
    """Seconds from its beginning to its end."""
    placed: bool = False
    """It is in the file that is to be served."""
    file: bool = False
    """There is such a file."""
    stale: bool = False
    """Something answers on port 443, with another certificate than the file's."""


class CertificateState(FactBase[Certificate]):
    """A `Certificate`; the default on a host where nothing is installed."""

    default = Certificate

    def command(self, certificate: str, file: str) -> str:
        return f"name={shlex.quote(certificate)} file={shlex.quote(file)}\n({_STATE}) 2>/dev/null || true"

    def process(self, output: list[str]) -> Certificate:
        found = dict(line.split("=", 1) for line in output if "=" in line)
        begins, ends, now = (int(found.get(key) or 0) for key in ("begins", "ends", "now"))
        served = found.get("served_first", "")
        return Certificate(
            whole="kept" in found,
            server=found.get("server", ""),
            authenticator=found.get("authenticator", ""),
            names=frozenset(found.get("names", "").split()),
            left=ends - now,
            life=ends - begins,
            placed="kept" in found and found["kept"] == found.get("placed"),
            file="placed" in found,
            stale=bool(served) and served != found.get("placed_first"),
        )
