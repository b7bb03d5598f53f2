"""A Redis of the owner's, as the package sets it up: no password, port 6379, and what it holds in snapshots."""

from tests.hosts.pasts.past import Past

KEYS = "for i in $(seq 200); do echo \"SET basket:$i 'of a visitor, $i'\"; done | redis-cli >/dev/null"

PASTS = [
    Past(
        component="redis",
        name="a shop's baskets in snapshots",
        script=(
            "export DEBIAN_FRONTEND=noninteractive\n"
            "apt-get -qq install --no-install-recommends redis-server >/dev/null\n"
            "sed -i 's/^# *maxmemory <bytes>/maxmemory 40mb/' /etc/redis/redis.conf; systemctl restart redis-server\n"
            f"until redis-cli ping | grep -qx PONG; do sleep 0.2; done; {KEYS}; redis-cli save >/dev/null"
        ),
        looks=(
            "redis-cli -p 6379 dbsize; redis-cli -p 6379 get basket:200; redis-cli -p 6379 config get appendonly\n"
            "redis-cli -p 6379 config get maxmemory; systemctl is-enabled redis-server\n"
            "systemctl show -p ActiveState,ExecMainStartTimestamp,NRestarts,DropInPaths redis-server\n"
            "sha256sum /etc/redis/redis.conf /var/lib/redis/dump.rdb; ls -A /var/lib/redis\n"
            "stat -c '%a %U:%G' /etc/redis"
        ),
        refused=("port 6379",),
        settings='stack = stack.model_copy(update={"redis_port": 6380})',
        named=("redis-server@health-v1.service", "/etc/redis/redis-health-v1.conf"),
    ),
]
