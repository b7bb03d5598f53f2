"""Whose certificates sshd accepts, besides the keys that it accepts anyway."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from deploys.component import Settings

PENALIZING_RELEASES = {("debian", "13")}
"""Where sshd, from 9.8 on, shuts out by itself who fails to log in."""


@runtime_checkable
class Certificates(Protocol):
    """Who signs keys for one run, on the operator's side."""

    def authorities(self) -> tuple[str, ...]:
        """Return the public keys of who signs, as sshd reads them. Raises `Refused`."""


class Sshd(Settings):
    certificates: Certificates | None = None
    """None: no certificate opens a host. Else the hosts trust who signs, for the account that we sign in as alone."""
