"""Hosts trust an authority of our own. Without this setting there is none."""

from __future__ import annotations

from deploys.component import Secret, Settings


class Pki(Settings):
    ca_key: Secret = Secret(
        "ca_key", entropy=32, used_by=("certificates of hosts",), rotation="overlapping", irreplaceable=True
    )
    """What the authority's private key is derived from. It signs on the operator's side, and reaches no host."""
