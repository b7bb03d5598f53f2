"""A PgBouncer of the owner's on its usual port, for a database that is elsewhere."""

from tests.hosts.pasts.past import Past

INI = """[databases]
shop = host=192.0.2.7 dbname=shop
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = 6432
unix_socket_dir = /var/run/postgresql
auth_type = trust
auth_file = /etc/pgbouncer/userlist.txt
admin_users = clerk
"""
ASK = "psql -XAtw -h 127.0.0.1 -p 6432 -U clerk -d pgbouncer -c"

PASTS = [
    Past(
        component="pgbouncer",
        name="a shop's pooler",
        script=(
            "export DEBIAN_FRONTEND=noninteractive\n"
            "apt-get -qq install --no-install-recommends pgbouncer postgresql-client >/dev/null\n"
            f"cat > /etc/pgbouncer/pgbouncer.ini <<'END'\n{INI}END\n"
            """echo '"clerk" "of the shop"' > /etc/pgbouncer/userlist.txt; systemctl restart pgbouncer\n"""
            f"until {ASK} 'show version' >/dev/null 2>&1; do sleep 0.2; done"
        ),
        looks=(
            f"{ASK} 'show databases' | cut -d'|' -f1-4\n"
            f"{ASK} 'show config' | grep -E '^(listen_port|max_client_conn)'\n"
            "sha256sum /etc/pgbouncer/pgbouncer.ini /etc/pgbouncer/userlist.txt; systemctl is-enabled pgbouncer\n"
            "stat -c '%a %U:%G' /etc/pgbouncer /etc/pgbouncer/pgbouncer.ini /etc/pgbouncer/userlist.txt\n"
            "systemctl show -p ActiveState,ExecMainStartTimestamp,NRestarts,DropInPaths pgbouncer"
        ),
        refused=("port 6432",),
        settings='stack = stack.model_copy(update={"pooler_port": 6433})',
        named=("health-v1-pgbouncer.service", "/etc/pgbouncer/health-v1.ini"),
    ),
]
