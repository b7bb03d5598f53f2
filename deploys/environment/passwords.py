"""Passwords that the API is seeded with must be such as it lets people choose: refused while a plan is made.

The API refuses them itself, but only once its database was migrated.
"""

from __future__ import annotations

import hashlib

from deploys.component import Secret
from deploys.faults import Fault, Refused
from deploys.stack import Stack

MIN_LENGTH = 12
COMMON_DIGESTS = frozenset(
    """
    015000f4b58ce402 01f71c9a2bab2c14 032cc11fe7a57e7d 09fba7943e22ac2e 0a67248b9ae06468 0da0b943f322ad72
    1c312dd6426a1667 1c699d06d9663a03 27eecf97f30dd4cf 2943a567bc05bc66 319bae28fe4e645c 35f91566a687c0b3
    36aa15a88e7ab360 395f2910731c508f 3a5745a05f87ddee 40f598cc76550d29 4346ff92f5b575ea 439087482d21d575
    46a281cd35498ad6 5d5a70a2d7887983 5e4ff8ebb5fe84d8 5f3b3b6149571008 5ffed2e1bd56b37e 617034c22db68a3a
    6265db0c8c5db161 62d9b56b23a9ee18 6ae217164a1e3bfe 6c5f285a9edbdabd 74305616b2bc16c0 765ad9f4c7e62e31
    775b9c200002c4cc 7fd06f0e2a61fec4 81d06fe91661eb55 837035490f08cb65 84ebc1bac7879f8a 8907a499b54ae0c5
    89b00a2edf6d5d55 8c6e96f7ab6a0294 925b13a7ef9b4b49 95b3af3099261695 9edd7412fe65ff08 a91f0cc24ff68bd7
    acf45488978d9ff4 ae5deb865d391af1 b108fdf8c7b6bdd4 c8c38b9c87345d73 cacfd524400344de cb5e0fac75c921ae
    ce6428728f8ac349 d8aafc4b847c351d dbdcf01bf52ceac1 de6278ab9ed1292c e4005e2c1578a1e8 f1fa5d6c26426f37
    f587d4d586606138 f7bcd2d4e37276f4
    """.split()  # noqa: SIM905 - a list of them is read in lines
)
"""Of the 10,000 most common passwords those that are long enough, as digests: nobody wants to read them.

The API has the list itself, from zxcvbn; its tests hold the two together.
"""


SEEDED_USERS = {"admin_password": "admin", "verification_password": "verification"}
"""By the names of the stack's secrets, whose they are."""


def refuse_weak(stack: Stack) -> None:
    """Raises `Refused` with a fault for each. Reveals secrets: call it only where they are written."""
    Refused.unless(
        Fault(str(secret), f"As a password it {fault}.", f"healthv1 secrets set ENV {secret.key}")
        for secret in (stack.admin_password, stack.verification_password)
        if (fault := password_fault(secret, secret.reveal()))
    )


def password_fault(secret: Secret, value: str) -> str | None:
    """Return what is wrong with a value for this secret, when it is somebody's password."""
    return _fault(value, SEEDED_USERS[secret.key]) if secret.key in SEEDED_USERS else None


def _fault(password: str, username: str) -> str | None:
    """Return what is wrong with it, without repeating it."""
    if len(password) < MIN_LENGTH:
        return f"has fewer than {MIN_LENGTH} characters"
    if password.casefold() == username:
        return "is the name of its user"
    if _digest(password.casefold()) in COMMON_DIGESTS:
        return "is among the 10,000 most common"
    return None


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
