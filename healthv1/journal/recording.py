"""`with recorded(…)`: a run has a line before its first change and one after its last; a read-only command has one.

A run that died has only the first.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

from deploys.operations.change import Change
from deploys.paths import FOLDER
from healthv1.errors import Fault, HostError, Refused
from healthv1.hosts.pyinfra_names import Host
from healthv1.hosts.scripts import run_script, ssh_hosts
from healthv1.hosts.session import Session
from healthv1.journal import chain, script
from healthv1.journal.chain import Head
from healthv1.journal.entry import RunHeader, body
from healthv1.journal.local import OperatorCopy
from healthv1.lock.acquire import run_concurrently
from healthv1.lock.locking import lock_digest
from healthv1.plan import Step

TIMEOUT = 20.0  # seconds
Note = Callable[[str], None]


@dataclass
class Recording:
    """The result of a run, for its last line."""

    steps: Sequence[Step]
    result: str = "done"
    faults: Sequence[Fault] = ()
    noted: Mapping[str, Any] = field(default_factory=dict)
    """What its last line remembers besides."""

    def end_with(self, steps: Sequence[Step], faults: Sequence[Fault]) -> None:
        self.steps, self.faults = steps, faults
        self.result = "failed" if faults else "done"


@contextmanager
def recorded(
    session: Session, command: str, note: Note, steps: Sequence[Step] = (), *, needed: bool = True
) -> Iterator[Recording]:
    """Record a run that changes something. Raises `HostError` before it, when a host cannot be written to.

    + steps: the planned changes.
    + needed: if false, such a host is only noted.
    """
    journal = _Journal(session, command, note)
    run = Recording(steps)
    started = time.monotonic()
    try:
        faults = journal.append("started", steps)
        HostError.unless(faults if needed else ())
        yield run
    except BaseException as error:
        run.result = f"stopped: {_reason(error)}"
        run.steps = () if run.steps is steps else run.steps
        raise
    finally:
        journal.end(run, time.monotonic() - started)


def record(
    session: Session,
    command: str,
    note: Note,
    result: str,
    seconds: float,
    steps: Sequence[Step] = (),
    **noted: Any,
) -> None:
    """Record a run that has changed nothing. A host that cannot be written to is noted, and no fault.

    + noted: what its line remembers besides.
    """
    _Journal(session, command, note).end(Recording(steps, result, noted=noted), seconds, durable=False)


def secret_step(action: str, secret: str) -> Step:
    """Return a step for an action on a secret. It has the secret's name, and not its value."""
    return Step("", "", "Secrets", f"secrets {action}", (Change("secret", secret, action),))


@dataclass
class _Journal:
    session: Session
    command: str
    note: Note
    header: RunHeader = field(init=False)
    hosts: list[Host] = field(init=False)
    copy: OperatorCopy = field(init=False)

    def __post_init__(self) -> None:
        environment = self.session.environment
        self.hosts = ssh_hosts(self.session.hosts)
        self.copy = OperatorCopy(environment)
        names = tuple(host.name for host in self.session.hosts)
        self.header = RunHeader(secrets.token_hex(6), self.command, environment, names, lock_digest(environment))

    def append(self, event: str, steps: Sequence[Step], *, durable: bool = True, **more: Any) -> list[Fault]:
        """Write the operator's copy, then the hosts, which keep its head. Return the faults of hosts."""
        self._append_to_copy(event, steps, **more)
        return self._append_on_hosts(event, steps, durable=durable, **more)[1]

    def end(self, run: Recording, seconds: float, *, durable: bool = True) -> None:
        """Write the hosts, then the operator's copy, which keeps their heads."""
        if not self.hosts:
            return
        outcome = {
            "result": run.result,
            "seconds": round(seconds, 1),
            "faults": [fault.where for fault in run.faults][:10],
            **run.noted,
        }
        heads, faults = self._append_on_hosts("ended", run.steps, durable=durable, **outcome)
        for fault in faults:
            self.note(f"{fault.where}: the journal there lacks this run: {fault.what}")
        self._append_to_copy("ended", run.steps, **outcome, heads={name: asdict(head) for name, head in heads.items()})

    def _append_to_copy(self, event: str, steps: Sequence[Step], **more: Any) -> None:
        if not self.hosts:
            return
        try:
            self.copy.append(body(self.header, event, steps, **more, databases=self._databases()))
        except OSError as error:
            if event == "ended":
                self.note(f"This run stands in the hosts' journals alone: {self.copy.path}: {error.strerror}")

    def _databases(self) -> dict[str, str]:
        """Return where the database is: on the day on which it is lost, no host tells any more."""
        hosts = [host for host in self.session.all_hosts if "database" in host.groups]
        return {host.name: str(host.data.get("ssh_hostname") or host.name) for host in hosts}

    def _append_on_hosts(
        self, event: str, steps: Sequence[Step], *, durable: bool, **more: Any
    ) -> tuple[dict[str, Head], list[Fault]]:
        head = self.copy.head()
        mirrored = {"copy": head[0], "mirrors": asdict(head[1])} if head else {}

        def append(host: Host) -> Head | HostError:
            entry = chain.fields(body(self.header, event, steps, host=host.name, **more, **mirrored))
            try:
                text = script.append(FOLDER, self.header.environment, entry, durable=durable)
                words = run_script(host, text, TIMEOUT).split()
            except HostError as error:
                return error
            if len(words) < 2 or not words[0].isdigit():
                return HostError(Fault(host.name, "It did not say that the line was written.", "see its disk"))
            return Head(int(words[0]), words[1])

        answers = run_concurrently(self.hosts, append)
        heads = {host.name: head for host, head in answers.items() if isinstance(head, Head)}
        return heads, [fault for answer in answers.values() if isinstance(answer, HostError) for fault in answer.faults]


def _reason(error: BaseException) -> str:
    """Return the reason without any output of a host."""
    if isinstance(error, KeyboardInterrupt):
        return "interrupted"
    return "; ".join(fault.where for fault in error.faults) if isinstance(error, Refused) else type(error).__name__
