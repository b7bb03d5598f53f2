"""What hosts held before us, by component: together on one host, as hosts that had a life have it."""

from tests.hosts.pasts.past import Past
from tests.hosts.pasts.ufw import UFW

PASTS: list[Past] = [*UFW]
