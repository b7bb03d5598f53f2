"""A plan's changes as they are read: by stage, by the hosts that share them, by component."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby

from deploys.operations.change import Change
from healthv1.plan.step import Step


@dataclass(frozen=True)
class Component:
    name: str
    changes: tuple[Change, ...]


@dataclass(frozen=True)
class Section:
    """Hosts on which these components change the same in this stage."""

    hosts: tuple[str, ...]
    stage: str
    components: tuple[Component, ...]

    @property
    def changes(self) -> int:
        """How many they are, on all its hosts."""
        return len(self.hosts) * sum(len(component.changes) for component in self.components)


def sections(steps: Iterable[Step]) -> Iterator[Section]:
    steps = tuple(steps)
    for stage in _stages(steps):
        sharing: dict[tuple[str, ...], list[Component]] = {}
        for component, hosts in _shared(step for step in steps if step.stage == stage):
            sharing.setdefault(hosts, []).append(component)
        for hosts, components in sharing.items():
            yield Section(hosts, stage, tuple(components))


def _stages(steps: Iterable[Step]) -> list[str]:
    """Return the stages in the order in which they run; a host may have nothing to do in one."""
    stages: list[str] = []
    for _, host_steps in groupby(steps, key=lambda step: step.host):
        at = len(stages)
        for stage in reversed(dict.fromkeys(step.stage for step in host_steps)):
            if stage not in stages:
                stages.insert(at, stage)
            at = stages.index(stage)
    return stages


def _shared(steps: Iterable[Step]) -> Iterator[tuple[Component, tuple[str, ...]]]:
    """Yield each component's changes once, with the hosts that they are made on."""
    hosts_by_component: dict[Component, list[str]] = {}
    for (host, name), component_steps in groupby(steps, key=lambda step: (step.host, step.component)):
        changes = tuple(change for step in component_steps for change in step.changes)
        hosts_by_component.setdefault(Component(name, changes), []).append(host)
    yield from ((component, tuple(dict.fromkeys(hosts))) for component, hosts in hosts_by_component.items())
