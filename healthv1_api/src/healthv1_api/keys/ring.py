"""The keys as one instance holds them, unwrapped: the newest data key seals, every one of them opens."""

import hmac
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from healthv1_api.keys.master import NONCE, MasterKeys

FORM = b"\x01"  # of a ciphertext: this byte, a nonce, and what AES-256-GCM made
DATA, INDEX = "data", "index"


class TamperedError(Exception):
    """A ciphertext is not what was sealed at this place. Its message names the place, which is no secret."""


class SealedPlace(NamedTuple):
    """Where a ciphertext belongs. Moved to another row or column, it does not open."""

    table: str
    row: object
    column: str

    def bound_to(self, key: int) -> bytes:
        return f"health.{self.table}|{self.row}|{self.column}|{key}".encode()


class StoredKey(NamedTuple):
    id: int
    purpose: str
    master: str
    wrapped: bytes
    created_at: datetime


@dataclass(frozen=True)
class DataKey:
    id: int
    created_at: datetime
    cipher: AESGCM = field(repr=False)

    @property
    def age(self) -> timedelta:
        return datetime.now(timezone.utc) - self.created_at

    def seal(self, place: SealedPlace, text: str) -> bytes:
        nonce = os.urandom(NONCE)
        return FORM + nonce + self.cipher.encrypt(nonce, text.encode(), place.bound_to(self.id))

    def open(self, place: SealedPlace, sealed: bytes) -> str:
        """Raises TamperedError."""
        try:
            return self.cipher.decrypt(sealed[1 : NONCE + 1], sealed[NONCE + 1 :], place.bound_to(self.id)).decode()
        except (InvalidTag, ValueError):
            raise TamperedError(f"{place.table} {place.row}: {place.column} does not open") from None


@dataclass(frozen=True)
class Ring:
    data: dict[int, DataKey]
    index: bytes | None = field(repr=False)

    @property
    def current(self) -> DataKey | None:
        return self.data[max(self.data)] if self.data else None

    def digest(self, *parts: object) -> bytes:
        """What equal values have in common, and nobody without the key can tell or guess."""
        assert self.index is not None
        text = "\0".join(str(part) for part in parts)
        return hmac.digest(self.index, text.encode(), "sha256")


def unwrapped(rows: Iterable[StoredKey], masters: MasterKeys) -> Ring:
    """Raises WrongKeyError unless `masters` open every one."""
    data, index = {}, None
    for row in rows:
        key = masters.unwrap(row.wrapped, row.master, row.purpose)
        if row.purpose == INDEX:
            index = key
        else:
            data[row.id] = DataKey(row.id, row.created_at, AESGCM(key))
    return Ring(data, index)
