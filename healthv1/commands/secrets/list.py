"""`healthv1 secrets list`: names, versions, ages and users, and never a value."""

from __future__ import annotations

from healthv1.commands.secrets import register
from healthv1.commands.secrets.register import Row
from healthv1.rollout.losses import bind_secrets_unless_lost


def listing(environment: str) -> list[Row]:
    return register.rows(bind_secrets_unless_lost(environment))
