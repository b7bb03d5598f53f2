"""A session: connected hosts with working sudo, on which the site was read. plan, apply and verify start from it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import gevent
from pyinfra.api.config import Config
from pyinfra.api.exceptions import ConnectError, PyinfraError
from pyinfra.api.host import Host
from pyinfra.api.state import State, StateStage
from pyinfra.connectors.util import CommandOutput
from pyinfra.context import ContextManager, ctx_config, ctx_host, ctx_inventory, ctx_state
from pyinfra_cli.exceptions import UnexpectedExternalError
from pyinfra_cli.util import exec_file

from deploys.facts.jails import JailsState
from deploys.facts.machine import MachineState
from deploys.facts.marks import Marks
from deploys.facts.ssh import SshPorts
from deploys.facts.sshd import SshdFiles
from healthv1.errors import Fault, HostError, Refused
from healthv1.hints import with_environment
from healthv1.hosts import inventory as inventories
from healthv1.hosts import pyinfra_patches
from healthv1.hosts.connector import FastSSH, Output, Unanswered
from healthv1.hosts.fact_batches import Question
from healthv1.hosts.inventory import UnlistedHost
from healthv1.hosts.refusals import connect_fault, sudo_fault
from healthv1.workspace import project

logging.getLogger("pyinfra").addHandler(logging.NullHandler())  # we report faults ourselves
logging.getLogger("paramiko").addHandler(logging.NullHandler())

READ_WITH_THE_SITE = (MachineState, SshPorts, Marks, JailsState, SshdFiles)
"""The facts that deploys ask for while they are read; what operations ask for comes later, and all at once."""

CONTEXTS = (ctx_state, ctx_inventory, ctx_config, ctx_host)


@dataclass
class Session:
    environment: str
    state: State
    faults: dict[str, list[Fault]] = field(default_factory=dict)
    """By host. A host with faults takes no further part."""
    operations: dict[Host, dict[str, Callable[[], Any]]] = field(default_factory=dict)
    """By host and hash: the generator of each operation, as the site was read."""
    answers: dict[tuple[Host, str], dict[Question, Output]] = field(default_factory=dict)
    """By host and operation: the questions of its last evaluation, with the answers."""
    records: dict[str, dict[str, Any]] = field(default_factory=dict)
    """By host: the record of its last apply."""
    check_lock: Callable[[], None] = lambda: None
    """Called before each operation that runs. Raises `Refused` when the run has to stop there: its lock was lost."""

    @property
    def hosts(self) -> list[Host]:
        """Return the hosts that are still whole, in the inventory's order."""
        return [host for host in self.all_hosts if host in self.state.active_hosts]

    @property
    def all_hosts(self) -> list[Host]:
        """Return the environment's hosts, also those that take no part, in the inventory's order."""
        return list(self.state.inventory)

    def host(self, name: str) -> Host:
        return self.state.inventory.get_host(name)

    @property
    def addresses(self) -> dict[str, str]:
        """Return where each of these hosts is."""
        return {host.name: str(host.data.get("ssh_hostname") or host.name) for host in self.hosts}

    def fail(self, host: Host, *faults: Fault) -> None:
        self.faults.setdefault(host.name, []).extend(with_environment(fault, self.environment) for fault in faults)
        self.state.active_hosts.discard(host)
        self.state.failed_hosts.add(host)

    def on_each(self, work: Callable[[Host], None], hosts: Iterable[Host] | None = None) -> None:
        """Run `work` on all hosts, or these, concurrently. An exception becomes a fault of its host."""
        selected = self.hosts if hosts is None else hosts
        gevent.joinall([gevent.spawn(self._isolated, host, work) for host in selected], raise_error=True)

    @contextmanager
    def on(self, host: Host) -> Iterator[None]:
        """Set `host` as the current host of pyinfra's operations and facts in this context."""
        with restored_contexts(ctx_config, ctx_host):
            ctx_config.set(self.state.config.copy())
            ctx_host.set(host)
            yield

    def _isolated(self, host: Host, work: Callable[[Host], None]) -> None:
        with self.on(host):
            try:
                work(host)
            except Exception as error:  # noqa: BLE001 - whatever it is, it concerns this host alone
                self.fail(host, *faults_of(host, error))
            else:
                if host in self.state.failed_hosts:  # pyinfra goes on with a fact's default
                    self.fail(host, *faults_of(host, PyinfraError("A fact could not be read")))

    def refuse_faults(self) -> None:
        """Raise with the faults of all hosts."""
        all_faults = [fault for faults in self.faults.values() for fault in faults]
        if all_faults:
            raise HostError(*all_faults)


@contextmanager
def restored_contexts(*contexts: ContextManager) -> Iterator[None]:
    """Restore pyinfra's contexts at the end. pyinfra's own context managers leave them set after an exception."""
    before = [(context, context.get()) for context in contexts]
    try:
        yield
    finally:
        for context, outer in before:
            context.set(outer)


@contextmanager
def opened(
    environment: str, limit: tuple[str, ...] = (), *, read_site: bool = True, unlisted: Iterable[UnlistedHost] = ()
) -> Iterator[Session]:
    """Connect to the hosts of `environment` and read the site on each. Hosts with faults are in `faults`.

    One session may stand inside another: it finds none of the other's contexts, and leaves them as they were.

    + unlisted: hosts that the inventory does not name.
    """
    pyinfra_patches.apply_patches()
    state = State(check_for_changes=False)
    state.cwd = str(project.root())
    with restored_contexts(*CONTEXTS):
        for context in CONTEXTS:
            context.reset()
        ctx_state.set(state)  # pyinfra reads inventories in the context of a state
        try:
            inventory = inventories.load(environment, unlisted)
            selected = inventories.chosen(inventory, limit)
            state.init(inventory, Config(FAIL_PERCENT=0), initial_limit=selected)
            ctx_inventory.set(inventory)
            session = Session(environment, state)
            state.set_stage(StateStage.Connect)
            state.active_hosts.update(selected)
            state.activated_hosts.update(selected)
            session.on_each(_connect)
            if read_site:
                _read_site(session)
            yield session
        finally:
            for host in getattr(state, "activated_hosts", ()):
                if host.connected:
                    host.disconnect()


def _read_site(session: Session) -> None:
    site = str(project.site_file())
    read_deploys(session, site, lambda _: exec_file(site))


def read_deploys(
    session: Session, file: str, deploys: Callable[[Host], None], hosts: Iterable[Host] | None = None
) -> None:
    """Run `deploys` on all hosts, or these, to prepare their operations. No operation runs yet.

    + file: where they stand. Operations are told apart by the lines that call them, from this file's on.
    """
    session.state.current_deploy_filename = file
    session.state.set_stage(StateStage.Prepare)
    session.on_each(deploys, hosts)
    for host in session.hosts:
        prepared = session.state.ops[host]
        session.operations[host] = {operation: data.command_generator for operation, data in prepared.items()}


def run(host: Host, command: str, timeout: int = 60) -> tuple[bool, CommandOutput]:
    """Run one shell command as root, outside any operation."""
    return host.run_shell_command(command, _sudo=True, _timeout=timeout)


def _connect(host: Host) -> None:
    host.connect(show_errors=False, raise_exceptions=True)
    refusal = _refusal_over_ssh(host, host.connector) if isinstance(host.connector, FastSSH) else _sudo_refusal(host)
    if refusal is not None:
        raise HostError(sudo_fault(host, refusal))


def _refusal_over_ssh(host: Host, connector: FastSSH) -> list[str] | None:
    """Ask the facts for reading the site, as root and in one round trip; return the error lines if sudo was refused."""
    with connector.gathering_questions() as questions:
        for fact in READ_WITH_THE_SITE:
            with suppress(Unanswered):
                host.get_fact(fact, _sudo=True)
    return None if connector.ask(questions, timeout=20) else connector.error_lines


def _sudo_refusal(host: Host) -> list[str] | None:
    succeeded, output = run(host, "true", timeout=20)
    return None if succeeded else output.stderr_lines


def faults_of(host: Host, error: BaseException) -> list[Fault]:
    """Return the faults of `host` that an exception stands for."""
    if isinstance(error, UnexpectedExternalError):
        error = error.exception
    if isinstance(error, Refused):
        return list(error.faults)
    if isinstance(error, ConnectError):
        return [connect_fault(host, str(error))]
    error_lines = getattr(host.connector, "error_lines", [])
    details = f" ({'; '.join(error_lines[-3:])})" if isinstance(error, PyinfraError) and error_lines else ""
    return [Fault(host.name, f"{str(error) or type(error).__name__}{details}.", "run again with --debug to see more")]
