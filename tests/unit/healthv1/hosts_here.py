"""Hosts that are folders of this machine, spoken to as over SSH: what an apply asks and writes there is real."""

import json
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass
from types import SimpleNamespace

import pyinfra
from pyinfra.api.config import Config
from pyinfra.api.exceptions import ConnectError
from pyinfra.api.inventory import Inventory
from pyinfra.api.state import State, StateStage
from pyinfra.connectors.util import CommandOutput, OutputLine
from pyinfra.context import ctx_host, ctx_inventory, ctx_state

from deploys.paths import FOLDER
from deploys.rollout import Rollout
from deploys.secret import Version
from healthv1.commands import apply, lock
from healthv1.hosts import session as sessions
from healthv1.hosts.connector import FastSSH
from healthv1.hosts.session import Session
from healthv1.lock import locking
from healthv1.lock.place import ask
from healthv1.rollout import saved_plans
from healthv1.rollout.progress import Progress

ENVIRONMENT = "production"


class Here(FastSSH):
    """A host that is a folder: its /var/lib/healthv1 lies in there, and whoever asks needs no sudo."""

    hosts = None

    def connect(self):
        self._refuse_absence()
        self.line = SimpleNamespace(run=self._done)

    def disconnect(self):
        pass

    def _run(self, command, arguments, *, wait=True):
        return super()._run(command, {**arguments, "_sudo": False}, wait=wait)

    def _done(self, command, stdin, timeout, **_):
        self._refuse_absence()
        kept = str(self.hosts.kept(self.host.name))
        text, told = (str(one or "").replace(FOLDER, kept) for one in (command, stdin))
        argv = ["sh", "-c", text]
        done = subprocess.run(argv, input=told, capture_output=True, text=True, timeout=timeout, check=False)
        said = [OutputLine(name, line) for name in ("stdout", "stderr") for line in getattr(done, name).splitlines()]
        return done.returncode, CommandOutput(said)

    def _refuse_absence(self):
        if self.host.name in self.hosts.away:
            raise ConnectError("No answer")


class PlanKey:
    """A backend that holds the plan key."""

    def versions(self, _secret):
        return (Version(1, "a key that seals what these hosts remember"),)

    def missing(self, _secrets):
        return ()

    def __str__(self):
        return "vault:m/p"


@dataclass(frozen=True)
class Place:
    """The lock of one of them, as another operator sees it."""

    kept: str
    name: str
    needed: bool = True

    def run(self, text, timeout):
        argv = ["sh", "-s"]
        done = subprocess.run(argv, input=text, capture_output=True, text=True, timeout=timeout, check=True)
        return done.stdout


class Heard(Progress):
    def __init__(self, note):
        super().__init__()
        self.note = note


@contextmanager
def _recorded(*_args):
    """Journals have tests of their own."""
    yield SimpleNamespace(end_with=lambda *_: None, result="")


class Hosts:
    """The hosts of one environment. `body` is given a host's folder, and says what is deployed there."""

    def __init__(self, folder, body, monkeypatch, names=("web1", "web2")):
        self.folder, self.body, self.names = folder, body, names
        self.away = set()
        self.groups = {}
        for name in (*names, "inventories", "group_data"):
            (folder / name).mkdir()
        monkeypatch.chdir(folder)
        monkeypatch.setattr(apply, "opened", self.opened)
        monkeypatch.setattr(lock, "opened", self.opened)
        monkeypatch.setattr(locking, "ASK_AGAIN", 0.02)
        monkeypatch.setattr(apply, "record", lambda *_: None)
        monkeypatch.setattr(apply, "recorded", _recorded)

    def __getitem__(self, name):
        return self.folder / name

    def kept(self, name):
        return self[name] / "kept"

    def place(self, name):
        return Place(str(self.kept(name)), name)

    def places(self):
        return [self.place(name) for name in self.names]

    def data(self, _name):
        """Return what group_data says of a host."""
        return {"rollout": Rollout(settle=0), "secrets": PlanKey()}

    def held(self):
        """Return who holds the lock of each host now."""
        return {place.name: ask(place, "show").held for place in self.places()}

    def remember(self, name, **record):
        """Have a host keep `record`, as if of an earlier apply."""
        self.kept(name).mkdir(exist_ok=True)
        (self.kept(name) / "applied.json").write_text(json.dumps(record))

    @contextmanager
    def opened(self, _environment=ENVIRONMENT, limit=(), *, read_site=True, **_):
        pyinfra.is_cli = True
        state = State(check_for_changes=False)
        before = [(context, context.get()) for context in (ctx_state, ctx_inventory)]
        ctx_state.set(state)
        groups = {group: (names, {}) for group, names in self.groups.items()}
        inventory = Inventory(([(name, self.data(name)) for name in self.names], {}), **groups)
        for host in inventory:
            host.connector_cls = type("OfThese", (Here,), {"hosts": self})
        chosen = [host for host in inventory if not limit or {host.name, *host.groups} & set(limit)]
        state.init(inventory, Config(FAIL_PERCENT=0), initial_limit=chosen)
        ctx_inventory.set(inventory)
        state.active_hosts.update(chosen)
        state.activated_hosts.update(chosen)
        session = Session(ENVIRONMENT, state)
        try:
            state.set_stage(StateStage.Connect)
            session.on_each(lambda host: host.connect(show_errors=False, raise_exceptions=True))
            if read_site:
                sessions.read_deploys(session, "", lambda _: self.body(self[ctx_host.get().name]))
            yield session
        finally:
            for context, outer in before:
                context.set(outer)

    @contextmanager
    def inventory(self, _environment):
        """Return the inventory as who reads it alone gets it: no host is asked."""
        with self.opened(limit=("nobody",), read_site=False) as session:
            yield session.state.inventory

    def plan(self, limit=()):
        """Return the plan that is saved now."""
        with self.opened(limit=limit) as session:
            return saved_plans.sealed_plan(session, apply.planner.plan(session), limit)

    def apply(self, *, agree=lambda _plan: True, limit=(), note=lambda _sentence: None, **options):
        return apply.apply(ENVIRONMENT, limit, agree, Heard(note), **options)
