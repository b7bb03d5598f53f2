"""How changes reach the hosts: a few at a time, by one operator at a time."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from deploys.component import Secret, Settings


class Rollout(Settings):
    canary: Annotated[int, Field(ge=0)] = 1
    """Hosts of each stage that are changed and checked before all others; 0 for none."""
    at_once: Annotated[int, Field(ge=1)] = 4
    """Hosts changed at a time after that."""
    settle: Annotated[int, Field(ge=0, le=600)] = 20
    """Seconds for a changed host to pass its checks: a service may take a moment to start."""
    connect_timeout: Annotated[int, Field(ge=1, le=300)] = 10
    """Seconds to wait for a connection."""
    silence: Annotated[int, Field(ge=4, le=600)] = 60
    """Seconds without any data after which a connection is given up; each quarter of it is reported."""
    lease: Annotated[int, Field(ge=3, le=3600)] = 60
    """Seconds until the lock of an operator expires who renews it no longer."""
    plan_valid_for: Annotated[int, Field(ge=1, le=24 * 30)] = 24
    """Hours after which a saved plan is refused."""
    plan_key: Secret = Secret("plan_key", entropy=32, used_by=("saved plans", "drift"))
    """Signs saved plans, and the hosts' records of the last apply. After a rotation neither is accepted."""
