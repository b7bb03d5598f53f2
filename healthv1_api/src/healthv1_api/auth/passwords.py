"""Passwords are kept as argon2id hashes; the work is done on two threads, so that requests go on meanwhile."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

T = TypeVar("T")
AT_ONCE = 2
WAITING = 32  # more than that would wait longer than a client does
# OWASP's first choice, 19 MiB: two at once must not crowd out the service on a small host.
HASHER = PasswordHasher(time_cost=2, memory_cost=19456, parallelism=1)


class BusyError(Exception):
    """Too many logins, and others who set a password, wait already."""


class Passwords:
    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(AT_ONCE, "passwords")
        self._pending = 0
        self._nobodys = HASHER.hash("nobody's")

    async def match(self, stored: str | None, offered: str) -> bool:
        """Take as long for an unknown user, whose hash is None, as for a known one. Raises BusyError."""
        good = await self._on_thread(matches, stored or self._nobodys, offered)
        return good and stored is not None

    async def hash(self, password: str) -> str:
        """Raises BusyError."""
        return await self._on_thread(hashed, password)

    async def _on_thread(self, work: Callable[..., T], *arguments: str) -> T:
        if self._pending >= WAITING:
            raise BusyError
        self._pending += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work, *arguments)
        finally:
            self._pending -= 1


def hashed(password: str) -> str:
    return HASHER.hash(password)


def matches(stored: str, offered: str) -> bool:
    try:
        return HASHER.verify(stored, offered)
    except (VerificationError, InvalidHashError):
        return False
