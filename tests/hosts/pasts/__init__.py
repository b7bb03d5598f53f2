"""What hosts held before us, by component: together on one host, as hosts that had a life have it."""

from tests.hosts.pasts import pgbouncer, postgresql, redis
from tests.hosts.pasts.past import Past

PASTS: list[Past] = [*postgresql.PASTS, *redis.PASTS, *pgbouncer.PASTS]
