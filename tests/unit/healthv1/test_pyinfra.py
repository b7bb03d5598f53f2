"""pyinfra is replaced and reached into only where something says what has to be true of it, and only where it is."""

import ast
import importlib
import inspect
import json
import logging
import pkgutil
import re
import socket
import subprocess
import sys
from types import ModuleType
from typing import TypedDict

import pytest
from pyinfra.api.facts import get_fact
from pyinfra.api.host import Host, HostData
from pyinfra.connectors.ssh import SSHConnector
from pyinfra.connectors.util import extract_control_arguments
from pyinfra.context import ContextManager, ContextObject

import deploys.operations
import healthv1.hosts
from healthv1.errors import Refused
from healthv1.hosts.assumptions import Behaves, ClosesOver, HasSignature, UsesNames
from healthv1.hosts.pyinfra_guard import refuse_other_version
from healthv1.hosts.pyinfra_patches import REPLACED, apply_patches
from healthv1.hosts.pyinfra_reached import REACHED, WRITTEN_FOR, assumptions
from tests.unit.command import REPOSITORY
from tests.unit.command import healthv1 as command

ASSUMED = list(assumptions())


def _id(assumed):
    return f"{type(assumed).__name__} {assumed.name.removeprefix('pyinfra.')}"


def _refused():
    with pytest.raises(Refused) as refused:
        refuse_other_version()
    (fault,) = refused.value.faults
    assert f"written for pyinfra {WRITTEN_FOR} (" in fault.what
    return fault.what


def _holders(path):
    """Yield what has the attribute that a path ends with, and its name: a module, or a class and whose heir it is."""
    module, _, within = path.partition(":")
    *outer, name = within.split(".")
    holder = pkgutil.resolve_name(f"{module}:{'.'.join(outer)}" if outer else module)
    if isinstance(holder, ModuleType):
        yield holder, name
    else:
        classes = inspect.getmro(holder if isinstance(holder, type) else type(holder))
        yield from ((one, name) for one in classes if name in vars(one) and one is not object)


def test_the_pyinfra_that_is_installed_is_the_one_before_and_after_we_replace_what_we_do():
    refuse_other_version()
    apply_patches()
    apply_patches()
    refuse_other_version()


def test_it_is_the_one_that_is_pinned():
    assert f'"pyinfra=={WRITTEN_FOR}.*"' in (REPOSITORY / "pyproject.toml").read_text()


@pytest.mark.parametrize("assumed", ASSUMED, ids=_id)
def test_what_is_gone_is_named(assumed, monkeypatch):
    for holder, name in list(_holders(assumed.path)):
        monkeypatch.delattr(holder, name)
    assert f"{assumed.name} " in _refused()


def _other(*_args, **_others):
    return None


@pytest.mark.parametrize(
    "assumed", [one for one in ASSUMED if isinstance(one, HasSignature | UsesNames | ClosesOver)], ids=_id
)
def test_a_function_that_is_another_is_named(assumed, monkeypatch):
    monkeypatch.setattr(*next(_holders(assumed.path)), _other)
    said = _refused()
    lacking = {
        HasSignature: f"instead of ({getattr(assumed, 'arguments', '')})",
        UsesNames: "does not use",
        ClosesOver: "makes no",
    }
    assert re.search(f"{re.escape(assumed.name)} [^;]*{re.escape(lacking[type(assumed)])}", said)


def test_a_function_that_closes_over_less_is_named(monkeypatch):
    def other(func):
        def command_generator():
            return func

        return command_generator

    monkeypatch.setattr(importlib.import_module("pyinfra.api.operation"), "_wrap_operation", other)
    assert "makes a command_generator that does not close over args, kwargs" in _refused()


class Renamed(HostData):
    def __init__(self, host, *datas):
        super().__init__(host, *datas)
        self.__dict__["sources"] = self.__dict__.pop("datas")


class Reversed(Host):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.data.__dict__["datas"] = tuple(reversed(self.data.datas))
        self.healthv1_claims = []


class Keyless(TypedDict):
    ssh_hostname: str


class Other(SSHConnector):
    data_cls = Keyless


def _remembering(known):
    def get(state, host, fact, **kwargs):
        return known.setdefault(fact, get_fact(state, host, fact, **kwargs))

    return get


def _taking_more(arguments):
    arguments.pop("_env", None)
    return {**extract_control_arguments(arguments), "_env": {}}


ALTERED = {
    "pyinfra.version.__version__": "3.11.0",
    "pyinfra.logger": logging.getLogger("another"),
    "pyinfra_cli.inventory._get_group_data": lambda _folder, _file: {},
    "pyinfra_cli.exceptions.UnexpectedExternalError": RuntimeError,
    "pyinfra.api.host.HostData": Renamed,
    "pyinfra.api.host.Host": Reversed,
    "pyinfra.connectors.ssh.SSHConnector": Other,
    "pyinfra.connectors.util.extract_control_arguments": _taking_more,
    "pyinfra.api.facts.get_fact": _remembering({}),
    "pyinfra.context.ctx_host": ContextManager("host", ContextObject),
    "pyinfra.context.ctx_config": ContextManager("config", ContextObject),
    "pyinfra.api.operation.generate_operation_name": lambda *_: ({"deploy / sentence"}, False),
}


@pytest.mark.parametrize("assumed", [one for one in ASSUMED if isinstance(one, Behaves)], ids=_id)
def test_what_behaves_otherwise_is_named(assumed, monkeypatch):
    monkeypatch.setattr(*next(_holders(assumed.path)), ALTERED[assumed.name])
    assert re.search(rf"{re.escape(assumed.name)} (does not {re.escape(assumed.how)}|fails \()", _refused())


def test_all_that_is_otherwise_is_told_at_once_with_one_action(monkeypatch):
    monkeypatch.setattr("pyinfra.api.facts.get_fact", _remembering({}))
    monkeypatch.delattr("pyinfra.api.util.stack")
    with pytest.raises(Refused) as refused:
        refuse_other_version()
    (fault,) = refused.value.faults
    assert "pyinfra.api.util.stack is missing; pyinfra.api.facts.get_fact does not ask the host anew" in fault.what
    assert fault.hint.endswith(f"-m pip install --force-reinstall --no-deps 'pyinfra=={WRITTEN_FOR}.*'")


def test_another_version_is_refused_even_if_it_looks_alike(monkeypatch):
    monkeypatch.setattr("pyinfra.version.__version__", "3.11.0")
    monkeypatch.setattr("importlib.metadata.version", lambda _: "3.11.0")
    with pytest.raises(Refused) as refused:
        refuse_other_version()
    (fault,) = refused.value.faults
    assert str(fault).startswith(f"pyinfra: 3.11.0 is installed; healthv1 was written for pyinfra {WRITTEN_FOR} (")
    assert fault.hint.endswith(f"-m pip install 'pyinfra=={WRITTEN_FOR}.*'")


def test_the_page_about_it_has_each_row():
    page = (REPOSITORY / "docs/pyinfra.md").read_text()
    for reach in REACHED:
        put = ", ".join(f"`{name.replace(':', '.')}`" for name in reach.replaces)
        assert f"| {reach.what} | {put or '—'} |" in page


# What is replaced has its row


def test_of_another_pyinfra_nothing_is_replaced(monkeypatch):
    def standing():
        return [pkgutil.resolve_name(path) for path in REPLACED]

    monkeypatch.setattr("pyinfra.version.__version__", "3.11.0")
    before = standing()
    with pytest.raises(Refused):
        apply_patches.__wrapped__()
    assert all(one is other for one, other in zip(before, standing(), strict=True))


REPLACING = """
from healthv1 import cooperation
cooperation.begin()
import importlib, json, sys
import healthv1.cli.apply
from healthv1.hosts.pyinfra_patches import apply_patches

def standing():
    found = {}
    for module in [one for name, one in sys.modules.items() if name.partition(".")[0] in ("pyinfra", "pyinfra_cli")]:
        for name, value in vars(module).items():
            found[f"{module.__name__}:{name}"] = value
            if isinstance(value, type) and value.__module__ == module.__name__:
                found |= {f"{module.__name__}:{name}.{inner}": one for inner, one in vars(value).items()}
    return found

importlib.import_module("pyinfra.facts.server")
before = standing()
apply_patches()
print(json.dumps(sorted(name for name, value in standing().items() if before.get(name, before) is not value)))
"""


def test_whatever_stands_otherwise_in_pyinfra_once_we_began_has_a_row():
    done = subprocess.run([sys.executable, "-c", REPLACING], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    rows = {name for reach in REACHED for name in reach.replaces if ":" in name}
    assert set(json.loads(done.stdout)) == set(REPLACED) == rows
    assert all(reach.assumes for reach in REACHED)


HOSTS, DEPLOYS = REPOSITORY / "healthv1/hosts", REPOSITORY / "deploys"
OURS = {"environment", "phase", "read_message", "size", "mode"}
"""Attributes of what is not pyinfra's: a backend and a forecast of ours, a Transport of paramiko's, a tar's member."""


def _trees(*folders):
    for folder in folders:
        for file in sorted(folder.rglob("*.py")):
            yield file, ast.parse(file.read_text())


def _stored(tree):
    """Yield whose attributes are set, and which."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store | ast.Del):
            yield ast.unparse(node.value), node.attr


def _of_a_connector(name):
    return hasattr(SSHConnector, name) or any(name in inspect.get_annotations(one) for one in SSHConnector.__mro__)


def test_whatever_is_set_on_an_object_of_pyinfras_has_a_row():
    stored = {
        name
        for file, tree in _trees(HOSTS, DEPLOYS)
        if file.name != "pyinfra_probes.py"  # it sets what it made itself
        for whose, name in _stored(tree)
        if (_of_a_connector(name) if whose == "self" else True)
    }
    rows = {name.rpartition(":")[2] for reach in REACHED for name in reach.replaces}
    alone = {name for reach in REACHED for name in reach.replaces if ":" not in name}
    assert stored - OURS <= rows
    assert alone <= stored


def test_nothing_is_set_in_a_way_that_only_running_it_would_tell():
    for file, tree in _trees(REPOSITORY / "healthv1", DEPLOYS):
        called = {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
        assert not {"setattr", "delattr", "mock.patch"} & called, file
        assert "vars" not in called or "pyinfra" not in file.read_text() or file in TRIES, file


TRIES = {HOSTS / "pyinfra_patches.py"} | {
    DEPLOYS / f"operations/{name}.py" for name in ("claims", "forecast", "warnings")
}


def _classes(package):
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        found = importlib.import_module(module.name)
        yield from (one for one in vars(found).values() if isinstance(one, type) and one.__module__ == module.name)


def test_whatever_a_class_of_ours_does_otherwise_than_pyinfras_has_a_row():
    rows = {name for reach in REACHED for name in reach.overrides}
    found = set()
    for ours in (*_classes(healthv1.hosts), *_classes(deploys.operations)):
        theirs = {name for base in ours.__mro__ if base.__module__.startswith("pyinfra") for name in vars(base)}
        found |= {name for name in vars(ours) if name in theirs and name not in BY_ITSELF}
    assert found == rows


BY_ITSELF = {"__module__", "__doc__", "__annotations__", "__abstractmethods__", "_abc_impl", "__dict__", "__weakref__"}
BY_ITSELF |= {"__firstlineno__", "__static_attributes__", "__annotate_func__", "__annotations_cache__", "__hash__"}
DOCUMENTED = {
    "pyinfra": {"logger"},
    "pyinfra.api.command": {"FunctionCommand", "PyinfraCommand", "QuoteString", "StringCommand"},
    "pyinfra.api.config": {"Config"},
    "pyinfra.api.deploy": {"deploy"},
    "pyinfra.api.exceptions": {"ConnectError", "PyinfraError"},
    "pyinfra.api.facts": {"FactBase"},
    "pyinfra.api.host": {"Host"},
    "pyinfra.api.inventory": {"Inventory"},
    "pyinfra.api.operation": {"operation"},
    "pyinfra.context": {"ctx_host", "ctx_inventory", "host"},
}
"""What a deploy, a fact, an operation or a script is written with."""


def _imported(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] in {"pyinfra", "pyinfra_cli"}:
            yield from ((node.module, alias.name) for alias in node.names)
        if isinstance(node, ast.Import):
            assert not any(alias.name.partition(".")[0] in {"pyinfra", "pyinfra_cli"} for alias in node.names)


def _undocumented(*folders):
    for file, tree in _trees(*folders):
        for module, name in _imported(tree):
            if name not in DOCUMENTED.get(module, ()):
                yield file, f"{module}:{name}"


def test_whatever_hosts_import_of_pyinfra_is_documented_or_has_a_row():
    assumed = {re.match(r"[\w.]+:\w+", one.path)[0] for one in ASSUMED}
    unknown = {name for file, name in _undocumented(HOSTS) if file.name != "pyinfra_probes.py"} - assumed
    assert unknown == BESIDES


BESIDES = {
    "pyinfra.context:ContextManager",
    "pyinfra.api.state:StateStage",
    "pyinfra.connectors.base:BaseConnector",
}
"""What breaks with an error as soon as it is another: its names are used, and nothing is replaced in it."""


def test_in_deploys_one_module_reaches_further_than_what_is_documented():
    assert {file.name for file, _ in _undocumented(DEPLOYS)} == {"risky.py"}


# The command

DOCTORED = """
import runpy, sys
from healthv1 import cooperation
cooperation.begin()
import pyinfra.api.host, pyinfra.api.operations, pyinfra.api.util
exec(sys.argv.pop(1))
runpy.run_module("healthv1", run_name="__main__", alter_sys=False)
"""


@pytest.fixture
def reached(project):
    """An environment `waiting` with one host: a socket that notes whether anybody came."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        data = {"ssh_hostname": "127.0.0.1", "ssh_port": server.getsockname()[1], "ssh_user": "nobody"}
        (project / "inventories/waiting.py").write_text(
            f"_hosts = [('web1', {data})]\ndatabase = api = edge = _hosts\n"
        )
        settings = (project / "group_data/recorded.py").read_text()
        patience = "from deploys.rollout import Rollout\n\nrollout = Rollout(connect_timeout=1)\n"
        (project / "group_data/waiting.py").write_text(f"{settings}\n{patience}")

        def came():
            try:
                server.accept()[0].close()
            except BlockingIOError:
                return False
            return True

        yield came


UNIMPORTABLE = ("del pyinfra.api.host.HostData", "pyinfra.api.host.HostData is missing")
WITHOUT_STACK = ("del pyinfra.api.util.stack", "pyinfra.api.util.stack is missing")
SILENT = ("pyinfra.api.operations._run_host_op = lambda *_: True", "pyinfra.api.operations._run_host_op does not use")


@pytest.mark.parametrize(
    ("doctored", "named", "arguments"),
    [
        (*UNIMPORTABLE, ("plan", "waiting")),
        (*WITHOUT_STACK, ("plan", "waiting")),
        (*SILENT, ("apply", "waiting", "--yes")),
        (*SILENT, ("secrets", "list", "waiting")),
    ],
)
def test_a_doctored_pyinfra_is_refused_before_anybody_is_spoken_to(doctored, named, arguments, project, reached):
    argv = [sys.executable, "-c", DOCTORED, doctored, *arguments]
    done = subprocess.run(argv, cwd=project, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert "Error: pyinfra: " in done.stderr
    assert f"healthv1 was written for pyinfra {WRITTEN_FOR} (" in done.stderr
    assert named in done.stderr
    assert "Hint:  install that one: " in done.stderr
    assert not reached()


def test_of_an_undoctored_one_the_same_host_is_spoken_to(project, reached):
    assert "pyinfra: " not in command("plan", "waiting", cwd=project).stderr
    assert reached()


def test_what_else_is_lacking_is_one_error_too(project):
    argv = [sys.executable, "-c", DOCTORED, "sys.modules['pydantic'] = None", "plan", "recorded"]
    done = subprocess.run(argv, cwd=project, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "pydantic" in done.stderr
