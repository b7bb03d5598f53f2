"""What a digest is made of is written alike by every process; what has no such form is refused by name."""

import functools
import json
import subprocess
import sys
from enum import Enum

import pytest

from deploys.secret import Secret
from healthv1.hosts.secrets_in_use import inventory_of
from healthv1.plan.digests import Formless, canonical, canonical_unrevealed, refuse_formless
from healthv1.rollout import saved_plans
from tests.unit.command import REPOSITORY, healthv1

# Everything that is allowed, with names enough for another order under another seed.
EVERYTHING = """
import ipaddress, json, uuid
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import Path
from deploys.component import Settings
from deploys.secret import Secret
from healthv1.plan.digests import Digests, canonical_unrevealed
NAMES = [f"name{number}" for number in range(50)]
Colour = Enum("Colour", "RED BLUE")
@dataclass(frozen=True)
class Point:
    x: int
    names: frozenset
class Own:
    def __repr__(self): return "Own()"
class Team(Settings):
    members: frozenset[str]
    told: dict[str, set[str]]
    secret: Secret = Secret("key")
value = {
    "plain": [None, True, 1, 1.5, "text", b"bytes", Colour.RED, Path("/x"), Decimal("1.10"), date(2026, 1, 2)],
    "more": (timedelta(1), uuid.UUID(int=1), ipaddress.ip_address("::1"), ipaddress.ip_network("10.0.0.0/8"), Own()),
    "sets": [set(NAMES), frozenset(NAMES), {(name, 1) for name in NAMES}, {Point(1, frozenset(NAMES))}],
    "mapping": {name: {"b", "a", name} for name in set(NAMES)},
    "settings": Team(members=set(NAMES), told={name: {"x", name} for name in NAMES}),
}
print(json.dumps([canonical_unrevealed(value), Digests("key").of({**value, "settings": 0})]))
"""


def test_two_processes_write_all_that_is_allowed_alike():
    def written(seed):
        done = subprocess.run(
            [sys.executable, "-c", EVERYTHING],
            cwd=REPOSITORY,
            env={"PYTHONPATH": str(REPOSITORY), "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    assert written("1") == written("2")


class _Thing:
    pass


class _Listing:
    def __init__(self):
        self.things = [_Thing()]

    def __repr__(self):
        return f"Listing({self.things})"


@pytest.mark.parametrize(
    ("value", "what"),
    [
        (_Thing(), "an object of _Thing"),
        (_Listing(), "an object of _Listing"),
        (_Thing, "the class _Thing"),
        ({"a": [(1, _Thing())]}, "an object of _Thing"),
        ({1, _Thing()}, "an object of _Thing"),
        ({_Thing(): 1}, "a mapping with a key of _Thing"),
    ],
)
def test_what_is_another_in_each_run_has_no_form(value, what):
    for form in (canonical, canonical_unrevealed, refuse_formless):
        with pytest.raises(Formless, match=what):
            form(value)


def test_a_function_is_rendered_for_a_host_and_refused_in_settings():
    for function in (lambda: "text", functools.partial(str, "text")):
        assert canonical({"content": function}) == {"content": "text"}
        refuse_formless(function)
        with pytest.raises(Formless, match="a function"):
            canonical_unrevealed(function)


def test_looking_for_what_has_no_form_renders_and_reveals_nothing():
    def explode(*_):
        raise AssertionError

    class Backend:
        versions = explode

    refuse_formless({"content": explode, "password": Secret("db", backend=Backend())})


def test_enumerations_with_values_of_one_text_are_two():
    one, two = Enum("One", {"A": "x"}), Enum("Two", {"A": "x"})
    assert canonical(one.A) != canonical(two.A)


@pytest.fixture
def settings(project):
    """Return a function that adds lines to the settings of the recorded hosts."""

    def add(lines):
        path = project / "group_data/recorded.py"
        path.write_text(f"{path.read_text()}\n{lines}\n")
        return project

    return add


def test_settings_without_a_form_are_refused_by_name_all_at_once_before_a_host_is_asked(settings):
    project = settings(
        """
from deploys.api.settings import Api
from deploys.ufw.settings import Ufw
from deploys.nginx.settings import Nginx
class Release:
    def version(self, python, architecture): return "1"
    def archive(self, python, architecture): return None
def helper(): return 1
def own_function(): return 1
own_names = ("own_function", "own_mapping", "own_set", "helper_")
own_mapping = {"a": {"b": Release()}}
own_set = {"x", "y"}
api = Api(release=Release())
_private = Release()
"""
    )
    done = healthv1("plan", "recorded", "--json", cwd=project)
    assert done.returncode == 1
    faults = {fault["what"]: fault["where"] for fault in json.loads(done.stdout)["faults"]}
    told = "group_data/recorded.py"
    assert faults.pop("Nobody reads this name.") == f"{told}: helper"
    assert faults == {
        "own_function holds a function, of which nobody can tell what it does.": told,
        "own_mapping.a.b holds an object of Release, which is another in each run.": told,
        "api.release holds an object of Release, which is another in each run.": told,
    }


def test_a_set_where_an_order_is_meant_is_refused_with_its_line(settings):
    lines = "from deploys.nginx.settings import Nginx\nnginx = Nginx(trusted_proxies={'10.0.0.0/8', 'fd00::/8'})"
    project = settings(f"{lines}\nstack = Stack(domain='a.example.com', aliases=frozenset(['b.example.com']))")
    done = healthv1("plan", "recorded", cwd=project)
    assert done.returncode == 1
    for name in ("Nginx: trusted_proxies", "Stack: aliases"):
        assert f": {name}: a set has no order: write a tuple." in done.stderr
    assert done.stderr.count("group_data/recorded.py:") == 2


def test_a_teams_own_names_are_what_a_saved_plan_rests_on(settings, monkeypatch):
    project = settings("own_names = ('rack', 'berlin')\nrack = {'b', 'a'}\n_private = 1")
    monkeypatch.chdir(project)
    with inventory_of("recorded") as inventory:
        said = dict(saved_plans._host_settings(next(iter(inventory))))
    assert said["rack"] == ["a", "b"]
    assert not {"_private", "berlin", "own_names"} & set(said)
