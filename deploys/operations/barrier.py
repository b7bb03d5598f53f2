"""A line across all hosts: nothing after it starts before everything ahead of it has ended everywhere."""

from __future__ import annotations

from pyinfra.api.operation import operation
from pyinfra.context import host

from deploys.operations.change import Commands
from deploys.operations.claims import close_stage

STAGE = "End of stage"


@operation()
def _wait_for_all_hosts() -> Commands:
    host.noop("a barrier changes nothing")
    yield from ()


def barrier(stage: str) -> None:
    """End `stage`. Every host must pass through the same call: an operation that all share orders what is around it.

    pyinfra orders operations by dependency within each host, so groups without a common operation would interleave.
    """
    _wait_for_all_hosts(name=f"{STAGE} {stage}")
    close_stage(stage)
