"""The agreement to a plan, kept by the operator while it is applied: `apply --resume` makes no other change.

Its file is removed when the apply ends well. It holds no secret, and no content of files.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from deploys.operations.change import Change
from healthv1.errors import Fault, Refused
from healthv1.plan import Plan, Step
from healthv1.workspace import project
from healthv1.workspace.atomic_files import folder_locked, replace

SCHEMA = 1
# Agreed action: actions that may stand for it after an interruption. A package brought the file, a unit runs or died.
EQUIVALENT_ACTIONS = {
    "create": {"update"},
    "start": {"enable", "restart", "reload"},
    "restart": {"start", "enable", "reload"},
    "reload": {"start", "restart"},
}
AgreedChange = tuple[str, str, str, str, str, str, str]
"""Host, stage, component, operation; then kind, target and action of one change."""


@dataclass
class Agreement:
    """Also the ledger of a rollout: it notes the components that may have changed and have not passed a gate yet."""

    environment: str
    limit: tuple[str, ...]
    inputs: str
    """The digest of the settings, inventories, deploys and templates of the agreed plan."""
    hosts: dict[str, str]
    """Names and addresses: another sandbox has hosts of the same names."""
    changes: set[AgreedChange]
    unproven: set[tuple[str, str, str]] = field(default_factory=set)
    """Host, stage and component."""

    @classmethod
    def of_plan(cls, plan: Plan, limit: tuple[str, ...], hosts: dict[str, str]) -> Agreement:
        changes = {change for step in plan.steps for change in _agreed_changes(step)}
        return cls(plan.environment, limit, project.digest(), hosts, changes)

    def note_begun(self, stage: str, hosts: Sequence[str]) -> None:
        self.unproven |= {change[:3] for change in self.changes if change[0] in hosts and change[1] == stage}
        self.write()

    def note_proven(self, stage: str, hosts: Sequence[str]) -> None:
        self.unproven -= {component for component in self.unproven if component[0] in hosts and component[1] == stage}
        self.write()

    def write(self) -> None:
        text = json.dumps(
            {
                "schema": SCHEMA,
                "environment": self.environment,
                "limit": self.limit,
                "inputs": self.inputs,
                "hosts": self.hosts,
                "changes": sorted(self.changes),
                "unproven": sorted(self.unproven),
            },
            indent=1,
        )
        path = _agreement_file(self.environment)
        try:
            project.state("apply")
            with folder_locked(path):  # another sandbox of the same checkout has the same environment
                replace(path, text)
        except OSError as error:
            what = f"What was agreed to cannot be noted ({error.strerror})."
            raise Refused(Fault(str(path), what, "make the folder writable, or make room there")) from error

    def covers_hosts(self, hosts: Mapping[str, str]) -> bool:
        """Whether it covers these hosts, by name and address; it may cover more."""
        return all(self.hosts.get(host, address) == address for host, address in hosts.items())

    def unproven_on(self, hosts: Collection[str]) -> frozenset[tuple[str, str, str]]:
        """Return the unproven components on these hosts."""
        return frozenset(component for component in self.unproven if component[0] in hosts)

    def mark_done(self, hosts: Collection[str]) -> None:
        """Remove the changes and unproven components of these hosts; those of other hosts stay."""
        self.changes = {entry for entry in self.changes if entry[0] not in hosts}
        self.unproven = {entry for entry in self.unproven if entry[0] not in hosts}
        if self.changes or self.unproven:
            self.write()
        else:
            delete_agreement(self.environment)

    def refuse_unagreed(self, new: Agreement, plan: Plan) -> None:
        """Raise `Refused` with every change of `plan` that was not agreed to. `new`: the agreement that it needs."""
        again = f"healthv1 apply {self.environment}, which shows the plan and asks"
        if (self.inputs, self.hosts) != (new.inputs, new.hosts):
            what = "Settings, inventories or deploys are not what they were when it was agreed to."
            raise Refused(Fault(f"apply {self.environment} --resume", what, again))
        Refused.unless(
            Fault(f"{step.host}: {step.component}", f"{change.action} {change.kind} {change.target} is new.", again)
            for step in plan.steps
            for change in step.changes
            if not self._covers(step, change)
        )

    def _covers(self, step: Step, change: Change) -> bool:
        at = (step.host, step.stage, step.component, step.operation)
        if (change.kind, change.action) == ("package", "configure"):  # the installation of a package was interrupted
            return any(agreed[0] == step.host and agreed[4] == "package" for agreed in self.changes)
        return any(
            (*at, change.kind, change.target) == agreed[:6]
            and change.action in {agreed[6], *EQUIVALENT_ACTIONS.get(agreed[6], ())}
            for agreed in self.changes
        )


def read_agreement(environment: str) -> Agreement | None:
    """Return the agreement of an apply that did not end well, or None."""
    try:
        document = json.loads(_agreement_file(environment).read_text(encoding="utf-8"))
        return Agreement(
            document["environment"],
            tuple(document["limit"]),
            document["inputs"],
            document["hosts"],
            {tuple(entry) for entry in document["changes"]},
            {tuple(entry) for entry in document["unproven"]},
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def delete_agreement(environment: str) -> None:
    with suppress(OSError):
        _agreement_file(environment).unlink()


def agreement_to_resume(environment: str, limit: tuple[str, ...]) -> Agreement:
    """Return the agreement that `apply --resume` goes on with. Raises `Refused`."""
    agreement, where = read_agreement(environment), f"apply {environment} --resume"
    if agreement is None:
        raise Refused(Fault(where, "No apply is left to go on with.", f"healthv1 apply {environment}"))
    if limit and set(limit) != set(agreement.limit):
        meant = limit_options(agreement.limit) or "no --limit"
        raise Refused(
            Fault(
                where,
                f"That apply was agreed to with {meant}.",
                f"healthv1 apply {environment} --resume, or a new apply",
            )
        )
    return agreement


def limit_options(limit: Sequence[str]) -> str:
    return " ".join(f"--limit {pattern}" for pattern in limit)


def _agreed_changes(step: Step) -> Iterator[AgreedChange]:
    for change in step.changes:
        yield step.host, step.stage, step.component, step.operation, change.kind, change.target, change.action


def _agreement_file(environment: str) -> Path:
    return project.state_folder() / "apply" / f"{environment}.json"
