"""A running Redis keeps what it holds on disk, or does not, without a restart: it forgets nothing by the change."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from pyinfra.api.command import QuoteString, StringCommand
from pyinfra.api.operation import operation
from pyinfra.context import host

from deploys.component import Text
from deploys.facts.persistence import RedisPersistence
from deploys.operations.change import Change, Commands
from deploys.operations.forecast import forecast
from deploys.operations.units import applied_target
from deploys.persistence import Switch, script
from deploys.redis_server import RedisServer


@operation()
def switch_persistence(server: RedisServer, persist: bool, other_configuration: Text) -> Commands:
    """Have the process do what its configuration, which lies there already, says of persistence.

    + other_configuration: what the configuration would be with the other choice.
    """
    state = host.get_fact(RedisPersistence, server=server)
    steps = Switch.to(persist, state, hashlib.sha256(other_configuration().encode()).hexdigest())
    plan = forecast()
    changes = plan.reconcile(f"persistence of {server.unit}", _changes(server, persist, steps))
    if not changes:
        host.noop("Redis keeps what it is to keep")
        return
    for change in changes:
        plan.announce(change, pending=False)
    if steps.note_configuration:
        plan.expect(applied_target(server.unit, server.configuration))
    yield StringCommand("sh", "-c", QuoteString(script(server, persist, steps)))


def _changes(server: RedisServer, persist: bool, steps: Switch) -> Iterator[Change]:
    values = {"was": "no" if persist else "yes", "becomes": "yes" if persist else "no"}
    if steps.switch_process:
        effect = "what it holds is written to disk while it serves" if persist else "it goes on in memory alone"
        yield Change("setting", f"{server.unit}: appendonly", "update", "without a restart", effect=effect, **values)
    elif steps.note_configuration:
        why = "a run that switched it was cut short"
        yield Change("setting", f"{server.unit}: appendonly", "update", why, **values)
    if steps.delete_log:
        effect = "" if steps.is_running else "what it held when it stopped is lost"
        why = "it would bring back what ended since"
        yield Change("file", server.data_paths[0], "remove", why, effect=effect)
