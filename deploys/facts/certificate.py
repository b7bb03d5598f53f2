"""certbot's certificate of a lineage, the certificate in Nginx's file, and the one that Nginx serves."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from pyinfra.api.facts import FactBase

# The renewal configuration counts only with a certificate and its key: a killed certbot leaves one without the other.
# The served certificate is compared in base64, to start openssl less often.
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
    """certbot has the certificate, its key and its renewal configuration. If not, the fields below are empty."""
    server: str = ""
    authenticator: str = ""
    names: frozenset[str] = frozenset()
    webroots: tuple[tuple[str, str], ...] = ()
    """Pairs of a name and the webroot for its challenges."""
    seconds_left: int = 0
    """Seconds until it expires."""
    lifetime: int = 0
    """Seconds of its validity."""
    is_installed: bool = False
    """Nginx's file holds the same certificate."""
    file_exists: bool = False
    """Nginx's file exists."""
    other_is_served: bool = False
    """Port 443 serves another certificate than the file's."""


class CertificateState(FactBase[HostCertificate]):
    """A `HostCertificate`; the default if nothing is installed."""

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
    """The names in certbot's other certificates, besides our lineage."""

    default = frozenset

    def command(self, lineage: str) -> str:
        return f"ours={shlex.quote(lineage)}\n({_OTHER_LINEAGES}) 2>/dev/null || true"

    def process(self, output: list[str]) -> frozenset[str]:
        return frozenset(output)
