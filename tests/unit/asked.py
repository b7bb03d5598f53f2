"""An operation asked what it would run on a host that gives these answers: nothing is run."""

from dataclasses import dataclass, field
from types import SimpleNamespace

from pyinfra.context import ctx_host

from deploys.operations.forecast import forecast_of


@dataclass(eq=False)
class Host:
    facts: dict
    """By a fact's class what it answers; where that depends on the arguments, a function of them."""
    data: dict = field(default_factory=dict)
    name: str = "db1"
    noops: list = field(default_factory=list)
    state: SimpleNamespace = field(default_factory=lambda: SimpleNamespace(is_executing=False))

    def get_fact(self, fact, **arguments):
        answer = self.facts[fact]
        return answer(**arguments) if callable(answer) else answer

    def loop(self, items):
        yield from items

    def noop(self, why):
        self.noops.append(why)


def asked(operation, *arguments, facts, data=None, **named):
    """Return the commands that the operation yields, and what it announces."""
    host = Host(facts, data or {})
    ctx_host.set(host)
    try:
        with forecast_of(host).collecting() as changes:
            commands = list(operation._inner(*arguments, **named))
    finally:
        ctx_host.reset()
    return SimpleNamespace(commands=commands, changes=changes)
