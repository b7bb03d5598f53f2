"""What holds of a host that trusts our authority."""

from __future__ import annotations

import hashlib

from deploys.component import Check
from deploys.tls import authority_check


def checks(trusted: str) -> list[Check]:
    """Return the claims. `trusted`: the authority's certificates, PEM."""
    return [authority_check(hashlib.sha256(trusted.encode()).hexdigest())]
