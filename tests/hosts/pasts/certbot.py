"""Certificates of the owner's: one that was bought for our very domain, and what his certbot renews."""

from tests.hosts.pasts.past import Past

_SIGN = (
    "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 300 -subj /CN=$1"
    " -addext subjectAltName=DNS:$1 -keyout $2/privkey$3.pem -out $2/fullchain$3.pem 2>/dev/null"
)

_BOUGHT = f"""at=/etc/letsencrypt/live/api.sandbox.test; mkdir -p $at; echo "bought certificate" > $at/README
set -- api.sandbox.test $at; {_SIGN}"""

_LINEAGE = f"""export DEBIAN_FRONTEND=noninteractive; apt-get -qq update
apt-get -qqy install certbot openssl >/dev/null
echo 'max-log-backups = 7' >> /etc/letsencrypt/cli.ini
at=/etc/letsencrypt name=mail.example.net; mkdir -p $at/live/$name $at/archive/$name $at/renewal-hooks/deploy
set -- $name $at/archive/$name 1; {_SIGN}
cp $at/archive/$name/fullchain1.pem $at/archive/$name/cert1.pem; : > $at/archive/$name/chain1.pem
for part in cert chain fullchain privkey; do ln -s ../../archive/$name/$part"1.pem" $at/live/$name/$part.pem; done
cat > $at/renewal/$name.conf <<S
version = 2.0.0
archive_dir = $at/archive/$name
cert = $at/live/$name/cert.pem
privkey = $at/live/$name/privkey.pem
chain = $at/live/$name/chain.pem
fullchain = $at/live/$name/fullchain.pem

[renewalparams]
account = 0123456789abcdef0123456789abcdef
authenticator = standalone
server = https://acme.example.net/directory
key_type = ecdsa
S
printf '#!/bin/sh\\necho "$RENEWED_LINEAGE" >> /var/log/owners-hook\\n' > $at/renewal-hooks/deploy/owners-hook
chmod 755 $at/renewal-hooks/deploy/owners-hook"""


def _files(*paths):
    return f"find {' '.join(paths)} \\( -type f -exec md5sum {{}} + \\) -o \\( -type l -printf '%l %p\\n' \\) | sort"


_AT = "/etc/letsencrypt"

PASTS = [
    Past(
        "certbot",
        "a certificate that was laid by hand where certbot keeps our domain's",
        script=_BOUGHT,
        looks=_files(f"{_AT}/live/api.sandbox.test"),
        named=("lineage", "api.sandbox.test"),
    ),
    Past(
        "certbot",
        "a lineage of the owner's, with his settings and a hook",
        script=_LINEAGE,
        looks=_files(*(f"{_AT}/{part}/mail.example.net" for part in ("live", "archive")), f"{_AT}/cli.ini")
        + f"; md5sum {_AT}/renewal/mail.example.net.conf {_AT}/renewal-hooks/deploy/owners-hook"
        + "; cat /var/log/owners-hook 2>/dev/null; systemctl is-enabled certbot.timer",
    ),
]
