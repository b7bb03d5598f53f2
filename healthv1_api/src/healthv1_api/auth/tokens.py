"""Access tokens are JWTs that tell who asks; refresh tokens are random, and known here only by their digest."""

import hashlib
import secrets
import time
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import jwt
from fastapi import HTTPException
from pydantic import SecretStr

ISSUER = "healthv1-api"
ALGORITHM = "HS256"
MOST = 10_000  # tokens that are remembered
SKEW = 60  # seconds that the clocks of two hosts may differ
REQUIRED = ["exp", "iat", "iss", "sub", "org", "sid", "roles"]


@dataclass(frozen=True)
class Identity:
    user: UUID
    organization: UUID
    session: UUID
    roles: frozenset[str]


class NotIdentified(HTTPException):
    def __init__(self, detail: str) -> None:
        super().__init__(401, detail, {"WWW-Authenticate": 'Bearer error="invalid_token"'})


class AccessTokens:
    def __init__(self, secret: SecretStr, lasts: int, also_accepted: SecretStr | None = None) -> None:
        """Sign with `secret`; `also_accepted` signed before it, or will after it."""
        self._secret, self.lasts = secret.get_secret_value(), lasts
        self._other = also_accepted.get_secret_value() if also_accepted else None
        # A signature is verified once, not at each request. Only digests of tokens are kept.
        self._known: dict[bytes, tuple[Identity, float]] = {}

    def issue(self, identity: Identity) -> str:
        now = int(time.time())
        claims = {
            "iss": ISSUER,
            "sub": str(identity.user),
            "org": str(identity.organization),
            "sid": str(identity.session),
            "roles": sorted(identity.roles),
            "iat": now,
            "exp": now + self.lasts,
        }
        return jwt.encode(claims, self._secret, ALGORITHM)

    def read(self, token: str) -> Identity:
        """Raises NotIdentified."""
        digest = hashlib.sha256(token.encode()).digest()
        known = self._known.get(digest)
        if known is None or known[1] <= time.time():
            known = self._verified(token)
            if len(self._known) >= MOST:
                self._known.clear()
            self._known[digest] = known
        return known[0]

    def _verified(self, token: str) -> tuple[Identity, float]:
        """Return whose token it is, and until when that is so."""
        try:
            claims = self._claims(token)
            person, group, session = UUID(claims["sub"]), UUID(claims["org"]), UUID(claims["sid"])
            return Identity(person, group, session, frozenset(claims["roles"])), float(claims["exp"])
        except jwt.ExpiredSignatureError:
            raise NotIdentified("The access token has expired: refresh it.") from None
        except jwt.ImmatureSignatureError:
            raise NotIdentified("The access token is from the future: a server's clock is wrong.") from None
        except (jwt.InvalidTokenError, ValueError, TypeError, AttributeError):
            raise NotIdentified("The access token is not one of ours.") from None

    def _claims(self, token: str) -> dict[str, Any]:
        try:
            return _decoded(token, self._secret)
        except jwt.InvalidSignatureError:
            if self._other is None:
                raise
            return _decoded(token, self._other)


def _decoded(token: str, secret: str) -> dict[str, Any]:
    """The signature is looked at first: only one that is wrong is worth a try with another secret."""
    options: jwt.types.Options = {"require": REQUIRED}
    return jwt.decode(token, secret, [ALGORITHM], options, issuer=ISSUER, leeway=SKEW)


def new_refresh_token() -> str:
    return secrets.token_urlsafe(32)


def digest_of(refresh_token: str) -> bytes:
    return hashlib.sha256(refresh_token.encode()).digest()
