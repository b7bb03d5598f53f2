"""Operations tried for real on this machine, in a temporary folder, as whoever runs the tests."""

# ruff: noqa: E402 - sockets are made cooperative first, as the command does
from gevent import monkey

monkey.patch_all()

import getpass
import grp
import os
from dataclasses import dataclass

import pyinfra
import pytest
from hypothesis import settings
from pyinfra.api.config import Config
from pyinfra.api.inventory import Inventory
from pyinfra.api.state import State, StateStage
from pyinfra.context import ctx_inventory, ctx_state

from deploys.operations.barrier import barrier
from healthv1.hosts.session import Session
from healthv1.rollout import planner, stages

# On a busy machine a shell may take its time. Only `make fuzz`, which has a seed, draws by chance.
chance = {} if "HEALTHV1_SEED" in os.environ else {"derandomize": True, "database": None}
settings.register_profile("patient", deadline=None, **chance)
settings.load_profile("patient")

# Ours: nothing is noted of it on this machine.
ME = {"user": getpass.getuser(), "group": grp.getgrgid(os.getgid()).gr_name, "ours": True}


class Silent:
    def stage_begun(self, *_args):
        pass

    def started(self, *_args):
        pass

    def ended(self, *_args, **_kwargs):
        pass

    def trying(self, *_args):
        pass

    def stage_ended(self, *_args):
        pass


@dataclass
class Run:
    planned: list
    made: list
    faults: tuple


@pytest.fixture
def owner():
    return ME


@pytest.fixture
def converge():
    """Return a function that plans and applies the operations which `body` calls, on this machine."""

    def run(body, between=lambda: None):
        pyinfra.is_cli = True
        state = State(check_for_changes=False)
        ctx_state.set(state)
        inventory = Inventory((["@local"], {}))
        state.init(inventory, Config(FAIL_PERCENT=0))
        ctx_inventory.set(inventory)
        state.active_hosts.update(inventory)
        state.activated_hosts.update(inventory)
        session = Session("test", state)
        try:
            state.set_stage(StateStage.Connect)
            session.on_each(lambda host: host.connect())
            state.set_stage(StateStage.Prepare)
            session.on_each(lambda _host: (body(), barrier("end")))
            plan = planner.plan(session)
            between()
            outcome = stages.apply(session, plan, Silent()) if not plan.faults else None
        finally:
            ctx_state.reset()
            ctx_inventory.reset()
        changes = [change for step in plan.steps for change in step.changes]
        made = [change for step in outcome.steps for change in step.changes] if outcome else []
        return Run(changes, made, plan.faults + (outcome.faults if outcome else ()))

    return run
