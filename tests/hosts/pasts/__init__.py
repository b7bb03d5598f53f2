"""What hosts held before us, by component: together on one host, as hosts that had a life have it."""

from tests.hosts.pasts import fail2ban, pgbouncer, postgresql, preflight, redis, ufw
from tests.hosts.pasts.past import Past

PASTS: list[Past] = [
    *fail2ban.PASTS,
    *pgbouncer.PASTS,
    *postgresql.PASTS,
    *preflight.PASTS,
    *redis.PASTS,
    *ufw.PASTS,
]
