"""How changes reach the hosts: a few at a time, by one operator at a time."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from deploys.component import Secret, Settings


class Rollout(Settings):
    canary: Annotated[int, Field(ge=0)] = 1
    """So many hosts of each stage go ahead, and have to pass their checks, before any other is touched; 0 for none."""
    at_once: Annotated[int, Field(ge=1)] = 4
    """So many hosts are then changed at a time."""
    settle: Annotated[int, Field(ge=0, le=600)] = 20
    """Seconds within which what was changed has to pass its checks: a service may take a moment to be whole again."""
    connect_timeout: Annotated[int, Field(ge=1, le=300)] = 10
    """Seconds after which a host that does not answer is given up."""
    silence: Annotated[int, Field(ge=4, le=600)] = 60
    """Seconds without any sign of life after which a connection is given up; each quarter of it is told."""
    lease: Annotated[int, Field(ge=3, le=3600)] = 60
    """Seconds after which the lock of an operator who is not heard of any more is free."""
    plan_valid_for: Annotated[int, Field(ge=1, le=24 * 30)] = 24
    """Hours after which a saved plan is refused."""
    plan_key: Secret = Secret("plan_key", entropy=32, used_by=("saved plans", "drift"))
    """Seals plans that are saved, and what hosts keep of the last apply. Once it is replaced, neither is believed."""
