"""Where a host keeps what its services were last started with: there, so that a restart that was missed is seen."""

APPLIED = "/var/lib/health-v1/applied"
"""One stamp per unit and effect: each path, and a digest of what was there when the unit was started or reloaded."""
