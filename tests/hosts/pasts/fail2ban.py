"""An owner's fail2ban: defaults and jails of his own, an address that he spares, and a ban that is in force."""

from tests.hosts.pasts.past import Past

APT = "DEBIAN_FRONTEND=noninteractive apt-get -qqy"

# The number of the process says that the server was not started anew: no ban was lifted, for no moment.
PASTS = [
    Past(
        "fail2ban",
        "a jail.local, a jail of the owner's, and a ban in force",
        f"""set -e
{APT} update; {APT} install fail2ban nftables python3-systemd >/dev/null
cat > /etc/fail2ban/jail.local <<'END'
[DEFAULT]
bantime = 1d
banaction = nftables
ignoreip = 127.0.0.1/8 198.51.100.7
[sshd]
backend = systemd
enabled = true
END
printf '[webmail]\\nenabled = true\\nfilter = apache-auth\\nbackend = polling\\nlogpath = /var/log/webmail.log\\n' \\
  > /etc/fail2ban/jail.d/zz-webmail.local
touch /var/log/webmail.log
systemctl restart fail2ban
for i in $(seq 50); do ! fail2ban-client status webmail || break; sleep 0.2; done
fail2ban-client set sshd banip 198.51.100.9
fail2ban-client set webmail banip 198.51.100.8
for i in $(seq 50); do ! nft list set inet f2b-table addr-set-webmail | grep -q 198.51.100.8 || exit 0; sleep 0.2; done
exit 1""",
        """cd /etc/fail2ban; md5sum jail.local jail.d/zz-webmail.local fail2ban.conf jail.conf
for jail in sshd webmail; do for asked in bantime maxretry ignoreip usedns banip actions bantime.increment ignorecommand
do fail2ban-client get $jail $asked; done; nft list set inet f2b-table addr-set-$jail; done
fail2ban-client get dbpurgeage; systemctl show -p MainPID,NRestarts fail2ban""",
        named=("/etc/fail2ban/jail.d/health-v1.local",),
    )
]
