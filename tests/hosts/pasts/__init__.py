"""What hosts held before us, by component: together on one host, as hosts that had a life have it."""

from tests.hosts.pasts.fail2ban import FAIL2BAN
from tests.hosts.pasts.past import Past

PASTS: list[Past] = [*FAIL2BAN]
