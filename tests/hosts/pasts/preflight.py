"""What a host's owner did with its packages and its ports."""

from tests.hosts.pasts.past import Past

# A package of the owner's, made by hand: its name, its version, and what else its control file says.
PACKAGE = r"""package() { d=$(mktemp -d); chmod 755 "$d"; mkdir -p "$d/DEBIAN" "$d/opt/$1"
echo "$1's work" > "$d/opt/$1/file"
printf 'Package: %s\nVersion: %s\nArchitecture: all\nMaintainer: Owner <o@example.net>\n%sDescription: of the owner\n' \
  "$1" "$2" "$3" > "$d/DEBIAN/control"; dpkg-deb -b "$d" "/root/$1.deb" >/dev/null; }
"""
# A repository of the owner's with a package of the distribution's, in a version of the owner's: $1, $2.
REPOSITORY = r"""repository() { mkdir -p /srv/repository; cd /srv/repository; rm -rf ./*
apt-get -qq update; apt-get -qq download "$1" >/dev/null; dpkg-deb -R "$1"_*.deb tree; rm "$1"_*.deb
sed -i "s/^Version: .*/Version: $2/" tree/DEBIAN/control; dpkg-deb -b tree "$1.deb" >/dev/null
{ sed '/^$/d' tree/DEBIAN/control; printf 'Filename: ./%s\nSize: %s\nSHA256: %s\n\n' "$1.deb" \
  "$(stat -c %s "$1.deb")" "$(sha256sum "$1.deb" | cut -d' ' -f1)"; } > Packages; rm -r tree
echo 'deb [trusted=yes] file:/srv/repository ./' > /etc/apt/sources.list.d/owner.list; apt-get -qq update; }
"""

PASTS = [
    Past(
        "preflight",
        "an application on a port of the API",
        """mkdir -p /srv/app; echo "the owner's" > /srv/app/page
cat > /etc/systemd/system/owners-app.service <<'U'
[Service]
ExecStart=/usr/bin/python3 -m http.server 8080 --bind 127.0.0.1 --directory /srv/app
[Install]
WantedBy=multi-user.target
U
systemctl daemon-reload; systemctl enable -q --now owners-app""",
        "python3 -c 'import urllib.request as r; print(r.urlopen(\"http://127.0.0.1:8080/page\").read())'"
        "; systemctl show -p MainPID -p NRestarts owners-app",
        refused=("port 8080",),
        settings='stack = stack.model_copy(update={"instances": (8082, 8083)})',
    ),
    Past(
        "preflight",
        "a package that is held, a repository that wins, and how apt is to behave",
        PACKAGE
        + REPOSITORY
        + """package owners-tool 1.0; dpkg -i /root/owners-tool.deb >/dev/null; apt-mark hold owners-tool
repository pgbackrest 99.0
echo 'APT::Install-Recommends "true";' > /etc/apt/apt.conf.d/50owner
printf '#!/bin/sh\\n# of the owner\\nexit 0\\n' > /usr/sbin/policy-rc.d; chmod 755 /usr/sbin/policy-rc.d""",
        "apt-mark showhold | grep owners; dpkg-query -W owners-tool; cat /opt/owners-tool/file /usr/sbin/policy-rc.d"
        "; cat /etc/apt/apt.conf.d/50owner /etc/apt/sources.list.d/owner.list; apt-config dump APT::Install-Recommends"
        "; cd /srv/repository; sha256sum *",
        named=("pgbackrest",),
    ),
    Past(
        "preflight",
        "repositories of vendors' that are gone",
        """echo 'deb http://127.0.0.1:9/vendor stable main' > /etc/apt/sources.list.d/gone.list
echo 'deb https://no-such-host.invalid/apt stable main' >> /etc/apt/sources.list.d/gone.list
touch -d '3 days ago' /var/lib/apt/lists/*_Packages*""",
        "cat /etc/apt/sources.list.d/gone.list",
    ),
]
