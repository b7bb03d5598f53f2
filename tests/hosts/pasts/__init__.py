"""What hosts held before us, by component: together on one host, as hosts that had a life have it."""

from tests.hosts.pasts import preflight
from tests.hosts.pasts.past import Past

PASTS: list[Past] = [*preflight.PASTS]
