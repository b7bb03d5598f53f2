"""How much memory Redis may take, what it does when that is full, and whether sessions outlive a restart."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from deploys.component import Settings

MIB = 2**20


class Redis(Settings):
    memory: Annotated[int, Field(ge=16)] | None = None
    """MiB; by default a sixteenth of the host's memory, 64 at least: the guide's 8 GB host gives it 512."""
    eviction: Literal["volatile-ttl", "volatile-lru", "allkeys-lru", "noeviction"] = "volatile-ttl"
    """What goes when the memory is full. By default what ends soonest: cached answers go first, sessions later, and the
    longest-lived, like revoked tokens, last. With volatile-lru a revoked token that nobody tries would go first;
    with noeviction a full cache keeps everybody from logging in.
    """
    persist: bool = True
    """Writes are on disk within a second, so that a restart logs nobody out. Otherwise nothing is written to disk, and
    a restart logs everybody out. It is switched while Redis serves: that forgets nothing.
    """
    scripting: bool = False
    """Whether the API may run Lua in Redis: its sandbox has been escaped from more than once (CVE-2025-49844)."""

    def maxmemory(self, host_memory: int) -> int:
        """Return MiB, for a host of that many bytes."""
        return self.memory or max(64, host_memory // MIB // 16)
