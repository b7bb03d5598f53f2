"""What hosts held before us, by component: together on one host, as hosts that had a life have it."""

from tests.hosts.pasts import certbot, fail2ban, nginx, pgbouncer, postgresql, preflight, redis, ufw
from tests.hosts.pasts.past import Past

PASTS: list[Past] = [
    *certbot.PASTS,
    *fail2ban.PASTS,
    *nginx.PASTS,
    *pgbouncer.PASTS,
    *postgresql.PASTS,
    *preflight.PASTS,
    *redis.PASTS,
    *ufw.PASTS,
]
