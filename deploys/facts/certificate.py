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
  sed -n '/^\[\[webroot_map\]\]/,$ s/^\([^ []*\) = /webroot=\1 /p' "$renewal"
  echo "names=$(printf "%s\n" "$told" | grep -o 'DNS:[^, ]*' | cut -d: -f2 | xargs)"
  printf "%s\n" "$told" | sed -n 's/^not[BA][a-z]*=//p' | { date -f - +%s; date +%s; } | {
    read -r begins; read -r ends; read -r now; printf "begins=%s\nends=%s\nnow=%s\n" "$begins" "$ends" "$now"; }
  echo "kept=$(cat "$at/fullchain.pem" "$at/privkey.pem" | sha256sum | cut -c1-64)"
fi
[ ! -f "$file" ] || echo "placed=$(sha256sum < "$file" | cut -c1-64)"
first() { sed -n '/^-----BEGIN CERT/,/^-----END CERT/{/^-----/!p; /^-----END/q}' | tr -d '\n'; }
echo "placed_first=$(first < "$file")"
echo "served_first=$(timeout 5 openssl s_client -connect 127.0.0.1:443 -servername "$domain" </dev/null | first)"
"""


@dataclass(frozen=True)
class HostCertificate:
    exists: bool = False
    """Certbot has it, with its key and the configuration of its renewal. The rest says nothing if not."""
    server: str = ""
    authenticator: str = ""
    names: frozenset[str] = frozenset()
    webroots: tuple[tuple[str, str], ...] = ()
    """Names, and where an answer to a challenge for each is laid."""
    seconds_left: int = 0
    """Seconds until it ends."""
    lifetime: int = 0
    """Seconds from its beginning to its end."""
    is_installed: bool = False
    """It is in the file that is to be served."""
    file_exists: bool = False
    """There is such a file."""
    other_is_served: bool = False
    """Something answers on port 443, with another certificate than the file's."""


class CertificateState(FactBase[HostCertificate]):
    """A `HostCertificate`; the default on a host where nothing is installed."""

    default = HostCertificate

    def command(self, lineage: str, domain: str, file: str) -> str:
        variables = {"name": lineage, "domain": domain, "file": file}
        assignments = " ".join(f"{name}={shlex.quote(value)}" for name, value in variables.items())
        return f"{assignments}\n({_STATE}) 2>/dev/null || true"

    def process(self, output: list[str]) -> HostCertificate:
        pairs = [line.split("=", 1) for line in output if "=" in line]
        values = dict(pairs)
        webroots = (value.partition(" ") for name, value in pairs if name == "webroot")
        begins, ends, now = (int(values.get(key) or 0) for key in ("begins", "ends", "now"))
        served_first = values.get("served_first", "")
        return HostCertificate(
            exists="kept" in values,
            server=values.get("server", ""),
            authenticator=values.get("authenticator", ""),
            names=frozenset(values.get("names", "").split()),
            webroots=tuple((name, path) for name, _, path in webroots),
            seconds_left=ends - now,
            lifetime=ends - begins,
            is_installed="kept" in values and values["kept"] == values.get("placed"),
            file_exists="placed" in values,
            other_is_served=bool(served_first) and served_first != values.get("placed_first"),
        )


_OTHER_LINEAGES = r"""for conf in /etc/letsencrypt/renewal/*.conf; do name=${conf##*/}; name=${name%.conf}
[ "$name" = "$ours" ] || openssl x509 -in "/etc/letsencrypt/live/$name/cert.pem" -noout -ext subjectAltName |
  grep -o 'DNS:[^, ]*' | cut -d: -f2; done"""


class OtherCertificateNames(FactBase[frozenset[str]]):
    """The names that certbot keeps certificates for in other lineages than ours."""

    default = frozenset

    def command(self, lineage: str) -> str:
        return f"ours={shlex.quote(lineage)}\n({_OTHER_LINEAGES}) 2>/dev/null || true"

    def process(self, output: list[str]) -> frozenset[str]:
        return frozenset(output)
