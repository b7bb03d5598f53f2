"""What people and programs do to a host behind our back: for each component at least one, each as shell.

`holds` is told apart from our own code: it fails while the host has drifted, and succeeds once that is mended.
"""

from dataclasses import dataclass

PSQL = "cd /; runuser -u postgres -- psql -XAtqv ON_ERROR_STOP=1"
CONF = "cd /etc/postgresql/*/*"
CLUSTER = "$(systemctl list-units -q --plain 'postgresql@*' | cut -d' ' -f1)"
SERVED = "/etc/nginx/tls/health-v1.pem"
LINEAGE = "/etc/letsencrypt/live/health-v1"
VISITED = (
    "openssl s_client -connect 127.0.0.1:443 -servername api.sandbox.test </dev/null 2>/dev/null"
    " | openssl x509 -noout -issuer | grep -qi pebble"
)
# The API reconnects in its own time. What fails at once while the host has drifted stands before this.
READY = "curl -fsS --retry 30 --retry-delay 1 127.0.0.1:8080/health/ready"
BACKUP_KEYS = "/etc/health-v1/pgbackrest.d/health-v1.conf"
BACKUP_PROGRAM = "/usr/local/lib/healthv1/backup"
APT = "DEBIAN_FRONTEND=noninteractive apt-get -qq"


@dataclass(frozen=True)
class Drift:
    component: str
    """Its folder in deploys/."""
    name: str
    names: str
    """What one of the planned changes has to be about."""
    command: str
    holds: str

    def __str__(self):
        return f"{self.component}: {self.name}"


DRIFTS = [
    Drift(
        "preflight",
        "an installation that was cut short",
        "logrotate",
        "sed -i '/^Package: logrotate$/,/^$/ s/^Status: .*/Status: install ok half-configured/' /var/lib/dpkg/status",
        'test -z "$(dpkg --audit)"',
    ),
    Drift(
        "preflight",
        "a host that cannot resolve its name",
        "/etc/hosts",
        'sed -i "/$(hostname)/d" /etc/hosts',
        'getent hosts "$(hostname)"',
    ),
    Drift(
        "ufw",
        "a purged firewall",
        "22/tcp",
        f"{APT} purge ufw",
        "ufw status | grep -q '^443/tcp *ALLOW' && iptables -S INPUT | grep -qx -- '-P INPUT DROP'",
    ),
    Drift("ufw", "a masked firewall", "ufw.service", "systemctl mask ufw", "systemctl is-enabled ufw"),
    Drift(
        "ufw",
        "a rule that the kernel alone has lost",
        "443/tcp",
        "ip6tables -D ufw6-user-input -p tcp --dport 443 -j ACCEPT",
        "ip6tables -C ufw6-user-input -p tcp --dport 443 -j ACCEPT",
    ),
    Drift(
        "ufw",
        "rules that anybody may write",
        "/etc/ufw/user.rules",
        "chmod 666 /etc/ufw/user.rules",
        'test "$(stat -c %a /etc/ufw/user.rules)" = 640',
    ),
    Drift(
        "ufw",
        "a port that somebody opened, and one that is refused ahead of ufw",
        "INPUT -p tcp --dport 443 -j REJECT",
        "ufw allow 9999/tcp; iptables -I INPUT -p tcp --dport 443 -j REJECT",
        "! grep 9999 /etc/ufw/user*.rules && ! iptables -S | grep -e 9999 -e 'A INPUT .*REJECT'",
    ),
    Drift(
        "fail2ban",
        "a removed package",
        "fail2ban",
        f"{APT} remove fail2ban",
        "fail2ban-client status health-v1-nginx-botsearch && systemctl is-enabled fail2ban",
    ),
    Drift(
        "fail2ban",
        "a jail that is off",
        "/etc/fail2ban/jail.d/health-v1.local",
        "sed -i 's/enabled = true/enabled = false/' /etc/fail2ban/jail.d/health-v1.local;"
        " systemctl restart fail2ban; for i in $(seq 50); do fail2ban-client ping && break; sleep 0.2; done",
        "fail2ban-client status health-v1-sshd",
    ),
    Drift(
        "fail2ban",
        "a unit that is masked and stopped",
        "fail2ban.service",
        "systemctl mask --now fail2ban",
        "fail2ban-client ping && systemctl is-enabled fail2ban",
    ),
    Drift(
        "sshd",
        "certificates that nobody chose",
        "/etc/ssh/sshd_config.d/00-health-v1-certificates.conf",
        "echo 'TrustedUserCAKeys /etc/ssh/ours' > /etc/ssh/sshd_config.d/00-health-v1-certificates.conf",
        "sshd -T | grep -qx 'trustedusercakeys none'",
    ),
    Drift(
        "postgresql",
        "a cluster that is down and does not start with the host",
        "start.conf",
        f"{CONF}; sed -i s/auto/manual/ start.conf; systemctl daemon-reload; systemctl stop 'postgresql@*'",
        f"{PSQL} -c 'select 1' && systemctl daemon-reload"
        " && ls /run/systemd/generator/postgresql.service.wants/postgresql@*",
    ),
    Drift(
        "postgresql",
        "a unit that nothing starts with the host",
        "postgresql@",
        f"systemctl disable {CLUSTER}",
        f"systemctl is-enabled {CLUSTER} | grep -qx enabled",
    ),
    Drift(
        "postgresql",
        "a cluster that would stay down once it was killed",
        "restart.conf",
        "rm /etc/systemd/system/postgresql@*.service.d/restart.conf; systemctl daemon-reload",
        f'test "$(systemctl show -p Restart --value {CLUSTER})" = on-failure',
    ),
    Drift(
        "postgresql",
        "a setting that a restart alone takes back",
        "max_connections",
        f"{PSQL} -c 'alter system set max_connections = 50'; systemctl restart 'postgresql@*'",
        f'test "$({PSQL} -c "show max_connections")" = 100',
    ),
    Drift(
        "postgresql",
        "a door for everybody",
        "pg_hba.conf",
        f"({CONF}; echo 'host all all 0.0.0.0/0 trust' >> pg_hba.conf); systemctl reload 'postgresql@*'",
        f"{PSQL} -c \"select 'shut' where not exists(select from pg_hba_file_rules where auth_method = 'trust')\""
        " | grep -qx shut",
    ),
    Drift(
        "postgresql",
        "a powerful role that is a member of another",
        "health_user",
        f"{PSQL} -c 'alter role health_user superuser' -c 'grant pg_read_all_data to health_user'",
        f"{PSQL} -c \"select 'plain' from pg_roles r where rolname = 'health_user' and not rolsuper"
        ' and not exists(select from pg_auth_members where member = r.oid)" | grep -qx plain',
    ),
    Drift(
        "postgresql",
        "a login that is gone",
        "health_user_a",
        # Its sessions end with it: the pooler would go on with them for minutes, as a role that is dropped below.
        f"{PSQL} -c 'alter role health_user_a rename to gone'"
        " -c \"select pg_terminate_backend(pid) from pg_stat_activity where usename = 'gone'\"",
        f"{PSQL} -c 'select rolname from pg_roles' | grep -qx health_user_a && {PSQL} -c 'drop role if exists gone'"
        f" && {READY}",
    ),
    Drift(
        "postgresql",
        "a login with another password",
        "health_owner",
        f"{PSQL} -c \"alter role health_owner password 'guessed'\"",
        f"{PSQL} -c 'select 1'"
        " && ! PGPASSWORD=guessed psql -h 127.0.0.1 -U health_owner -d health_v1_prod -c 'select 1'",
    ),
    Drift(
        "postgresql",
        "a database that everybody may enter and another owns",
        "health_v1_prod",
        f"{PSQL} -c 'grant connect on database health_v1_prod to public'"
        " -c 'alter database health_v1_prod owner to postgres'",
        f"{PSQL} -c \"select 'ours' from pg_database where datname = 'health_v1_prod' and datdba::regrole::text"
        " = 'health_owner' and not datacl::text ~ '[{,]='\" | grep -qx ours",
    ),
    Drift("backup", "the keys are gone", BACKUP_KEYS, f"rm {BACKUP_KEYS}", f"test -s {BACKUP_KEYS}"),
    Drift(
        "backup",
        "a program that somebody changed",
        BACKUP_PROGRAM,
        f"echo 'raise SystemExit(9)' > {BACKUP_PROGRAM}/__main__.py",
        f"python3 -I -B {BACKUP_PROGRAM} noted",
    ),
    Drift(
        "backup",
        "a timer that is off",
        "health-v1-backup-incr.timer",
        "systemctl disable --now health-v1-backup-incr.timer",
        "systemctl is-active health-v1-backup-incr.timer && systemctl is-enabled health-v1-backup-incr.timer",
    ),
    Drift(
        "redis",
        "a purged package",
        "redis-server",
        f"{APT} purge redis-server",
        "test -e /usr/bin/redis-server && redis-cli ping | grep -q NOAUTH && ! systemctl is-enabled redis-server",
    ),
    Drift(
        "redis",
        "the distribution's, set to start with the host",
        "redis-server.service",
        "systemctl enable redis-server",
        "! systemctl is-enabled redis-server && redis-cli ping | grep -q NOAUTH",
    ),
    Drift(
        "redis",
        "a door without a password",
        "/etc/redis/health-v1.acl",
        "sed -i '/user default/d' /etc/redis/health-v1.acl; systemctl restart redis-server@health-v1",
        "redis-cli ping | grep -q NOAUTH",
    ),
    Drift(
        "user",
        "an account that was removed and comes again",
        "health-v1",
        "systemctl stop 'health-v1-api@*'; userdel health-v1",
        'test "$(stat -c %U:%G /opt/health-v1/data /opt/health-v1/logs | sort -u)" = health-v1:health-v1',
    ),
    Drift(
        "user",
        "another home, shell and group, and a password",
        "health-v1",
        "sed -Ei 's|^(health-v1:.*):[0-9]*:([^:]*):/opt/health-v1:.*|\\1:65534:\\2:/tmp:/bin/sh|' /etc/passwd;"
        " echo health-v1:drift | chpasswd",
        "getent passwd health-v1 | grep -q ':/opt/health-v1:/bin/bash$' && id -gn health-v1 | grep -qx health-v1"
        " && passwd -S health-v1 | grep -q ' L '",
    ),
    Drift(
        "user",
        "a file and a link where directories are to be",
        "/opt/health-v1/scripts",
        "cd /opt/health-v1; rm -rf scripts; echo x > scripts; rm -rf /srv/data; mv data /srv; ln -s /srv/data data",
        'test "$(stat -c %F /opt/health-v1/scripts /opt/health-v1/data | sort -u)" = directory',
    ),
    Drift(
        "environment",
        "an empty file, readable for everybody",
        "/opt/health-v1/.env",
        ": > /opt/health-v1/.env; chmod 644 /opt/health-v1/.env",
        f"grep -q ^JWT_SECRET= /opt/health-v1/.env && {READY}",
    ),
    Drift(
        "environment",
        "a directory in the way",
        "/opt/health-v1/.env.owner",
        "rm /opt/health-v1/.env.owner; mkdir /opt/health-v1/.env.owner",
        'test "$(stat -c %F:%a:%U /opt/health-v1/.env.owner)" = "regular file:600:root"',
    ),
    Drift(
        "pgbouncer",
        "a purged package",
        "pgbouncer",
        f"{APT} purge pgbouncer",
        "test -e /usr/sbin/pgbouncer && systemctl is-active health-v1-pgbouncer && ! systemctl is-enabled pgbouncer"
        f" && {READY}",
    ),
    Drift(
        "pgbouncer",
        "a definition that systemd has not read",
        "health-v1-pgbouncer.service",
        "printf '[Service]\\nNice=3\\n' > /etc/systemd/system/health-v1-pgbouncer.service.d/zz.conf",
        "ps -o ni= -C pgbouncer | grep -qw 3 && rm /etc/systemd/system/health-v1-pgbouncer.service.d/zz.conf"
        # else it would run on with what the next one is to find
        " && systemctl daemon-reload && systemctl restart health-v1-pgbouncer",
    ),
    Drift(
        "api",
        "a unit that is gone",
        "/etc/systemd/system/health-v1-api@.service",
        "rm /etc/systemd/system/health-v1-api@.service; systemctl daemon-reload",
        f"systemctl is-enabled health-v1-api@8080 health-v1-api@8081 && {READY}",
    ),
    Drift(
        "api",
        "a drop-in for all instances that systemd has not read",
        "health-v1-api@8081.service",
        "mkdir -p /etc/systemd/system/health-v1-api@.service.d;"
        " printf '[Service]\\nNice=4\\n' > /etc/systemd/system/health-v1-api@.service.d/zz.conf",
        'test "$(ps -o ni= -C healthv1-api | sort -u | xargs)" = 4'
        " && rm -r /etc/systemd/system/health-v1-api@.service.d && systemctl daemon-reload"
        f" && systemctl restart 'health-v1-api@*' && {READY}",
    ),
    Drift(
        "api",
        "a release that lost a file, and another chosen",
        "/opt/health-v1/current",
        "cd /opt/health-v1; rm current/venv/lib/python3*/site-packages/healthv1_api/app.py;"
        " ln -sfn releases/none current",
        f"test -s /opt/health-v1/current/venv/lib/python3*/site-packages/healthv1_api/app.py && {READY}",
    ),
    Drift(
        "api",
        "an instance on another port",
        "health-v1-api@8085",
        "systemctl enable --now health-v1-api@8085",
        "! systemctl is-active health-v1-api@8085 && ! systemctl is-enabled health-v1-api@8085",
    ),
    Drift(
        "api",
        "an instance on another port that failed",
        "health-v1-api@8085",
        "d=/run/systemd/system/health-v1-api@8085.service.d; mkdir -p $d;"
        " printf '[Service]\\nExecStart=\\nExecStart=/bin/false\\nRestart=no\\n' > $d/fails.conf;"
        " systemctl daemon-reload; ! systemctl start health-v1-api@8085; rm -r $d; systemctl daemon-reload",
        "! systemctl is-failed health-v1-api@8085",
    ),
    Drift(
        "api",
        "a row that every deployment has is gone",
        "health_v1_prod",
        f"{PSQL} -d health_v1_prod -c \"delete from health.users where username = 'verification'\"",
        f'{PSQL} -d health_v1_prod -c "select username from health.users" | grep -qx verification',
    ),
    Drift(
        "nginx",
        "a purged package",
        "nginx",
        f"{APT} purge nginx nginx-common",
        "curl -fsSk --resolve api.sandbox.test:443:127.0.0.1 https://api.sandbox.test/health/ready",
    ),
    Drift(
        "nginx",
        "a hand-edited nginx.conf that was taken up",
        "/etc/nginx/nginx.conf",
        "sed -i 's/keepalive_timeout 65s/& 33s/' /etc/nginx/nginx.conf; systemctl reload nginx; sleep 0.5",
        "curl -sSI -H 'Host: api.sandbox.test' 127.0.0.1 | { ! grep -qi '^keep-alive:'; }",
    ),
    Drift(
        "nginx",
        "the package's own site, enabled again",
        "/etc/nginx/sites-enabled/default",
        "ln -s /etc/nginx/sites-available/default /etc/nginx/sites-enabled/default",
        "nginx -t && ! test -L /etc/nginx/sites-enabled/default",
    ),
    Drift(
        "nginx",
        "a certificate that is none",
        "/etc/nginx/tls/health-v1.pem",
        f"echo x > {SERVED}",
        f"openssl x509 -in {SERVED} -noout -ext subjectAltName | grep -q api.sandbox.test",
    ),
    Drift(
        "certbot",
        "another certificate in its place, and nothing renews ours",
        "api.sandbox.test",
        "openssl req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=by.hand -keyout /root/k -out /root/c;"
        f" cat /root/c /root/k > {SERVED}; systemctl reload nginx; systemctl stop certbot.timer",
        f"{VISITED} && systemctl is-active certbot.timer",
    ),
    Drift(
        "certbot",
        "half of what certbot keeps",
        "api.sandbox.test",
        "truncate -s 0 /etc/letsencrypt/renewal/health-v1.conf",
        "certbot certificates 2>/dev/null | grep -q 'Domains: api.sandbox.test'",
    ),
    Drift(
        "certbot",
        "no certificate, and nothing of certbot's",
        "api.sandbox.test",
        f"rm -r /etc/letsencrypt {SERVED}",
        f"cat {LINEAGE}/fullchain.pem {LINEAGE}/privkey.pem | cmp - {SERVED} && {VISITED}",
    ),
]
