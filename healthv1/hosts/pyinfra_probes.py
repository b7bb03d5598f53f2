"""Probes of pyinfra's behaviour that its code alone does not show. No host is connected to."""

# ruff: noqa: PLC0415 - where a module of pyinfra's is not as it was, that is what is to be told
from __future__ import annotations

import inspect
from importlib import metadata
from types import SimpleNamespace
from typing import Any

from gevent.local import local


def takes_one_argument(function: Any) -> bool:
    """Whether a function can be called with one argument: ours, once it stands in for pyinfra's."""
    return len(inspect.signature(function).parameters) == 1


def carries_cause(error: Any) -> bool:
    cause = ValueError()
    wrapped = error(cause, "file")
    return bool(wrapped.exception is cause and wrapped.filename == "file")


def keeps_datas(host_data: Any) -> bool:
    merged = host_data(None, {"key": 1}, dict)
    merged.other = 2
    return bool(merged.datas == ({"other": 2}, {"key": 1}, dict) and merged.dict() == {"key": 1, "other": 2})


def reads_deploy_data_last(host: Any) -> bool:
    new_host = _new_host(host)
    return len(new_host.data.datas) == 6 and new_host.data.datas[-1] == new_host.get_deploy_data


def reaches_hosts_over_ssh(connector: Any) -> bool:
    """Whether pyinfra's own list of connectors has it: what hosts are given we exchange where it is this class."""
    ways = {way.name: way.value for way in metadata.distribution("pyinfra").entry_points if way.group == _CONNECTORS}
    return ways.get("ssh") == f"{connector.__module__}:{connector.__qualname__}"


def declares_keys(connector: Any) -> bool:
    return set(connector.data_cls.__annotations__) >= _KEYS


def keeps_control_arguments(extract: Any) -> bool:
    from pyinfra.api.arguments import CONNECTOR_ARGUMENT_KEYS

    return set(extract(dict.fromkeys(CONNECTOR_ARGUMENT_KEYS))) == _CONTROLS


def asks_anew(get_fact: Any) -> bool:
    """Whether a fact that is asked twice is asked of the host twice, with the very command that it is made of."""
    from pyinfra.api.command import StringCommand
    from pyinfra.api.config import Config
    from pyinfra.api.facts import FactBase
    from pyinfra.api.host import Host
    from pyinfra.connectors.util import CommandOutput, OutputLine

    fact_command = StringCommand("true")
    fact = type("Tried", (FactBase,), {"command": lambda _: fact_command, "process": lambda _, lines: lines})
    commands: list[Any] = []

    def answer(command: Any, **arguments: Any) -> Any:
        commands.append((command, arguments["_sudo"]))
        return True, CommandOutput([OutputLine("stdout", str(len(commands)))])

    host = _new_host(Host)
    printing = dict.fromkeys(("print_fact_output", "print_fact_input", "print_fact_info"), False)
    host.init(SimpleNamespace(config=Config(), **printing))
    host.connected, host.connector = True, SimpleNamespace(run_shell_command=answer)
    answers = [get_fact(host.state, host, fact, kwargs={"_sudo": True}) for _ in range(2)]
    return answers == [["1"], ["2"]] and all(command is fact_command and sudo for command, sudo in commands)


def is_greenlet_local(context: Any) -> bool:
    return isinstance(context.context._container, local)  # noqa: SLF001


def keeps_attributes(host: Any) -> bool:
    return not {"healthv1_forecast", "healthv1_claims"} & set(_new_host(host).__dict__)


def joins_with_bar(generate: Any) -> bool:
    deploy = SimpleNamespace(current_deploy_name="deploy")
    return bool(generate(None, deploy, {}, {"name": "sentence"}) == ({"deploy | sentence"}, False))


class _EmptyInventory(list[Any]):
    """An inventory that says nothing of its hosts."""

    def _nothing(self, *_: Any) -> dict[str, Any]:
        return {}

    get_override_data = get_host_data = get_groups_data = get_data = _nothing


def _new_host(host: Any) -> Any:
    inventory = _EmptyInventory()
    inventory.append(host("nobody", inventory, [], lambda _state, _host: None))
    return inventory[0]


_CONNECTORS = "pyinfra.connectors"
_KEYS = {"ssh_hostname", "ssh_key", "ssh_key_password", "ssh_password", "ssh_allow_agent"}
_CONTROLS = {"_success_exit_codes", "_timeout", "_get_pty", "_stdin"}
