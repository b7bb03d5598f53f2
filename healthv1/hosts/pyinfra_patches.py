"""Patches of pyinfra 3.10 and its hosts. Each has a row of assumptions in pyinfra_reached.py.

They save work that pyinfra repeats for every operation: half of the operator's time to prepare a host.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from copy import copy
from functools import cache, partial
from importlib import import_module
from inspect import Traceback
from types import FrameType
from typing import Any

from pyinfra.api.host import Host, HostData
from pyinfra.connectors.base import BaseConnector
from pyinfra.connectors.ssh import SSHConnector

from healthv1.hosts.pyinfra_guard import refuse_other_version
from healthv1.hosts.team_files import group_data


@cache
def apply_patches() -> None:
    """Replace the names in `REPLACED`, once. Raises `Refused`, with nothing replaced, for an incompatible pyinfra."""
    refuse_other_version()
    for path, replacement in REPLACED.items():
        module, name = path.split(":")
        module_variables = vars(import_module(module))
        module_variables[name] = replacement(module_variables[name])


def prepare_host(host: Host, over_ssh: type[BaseConnector]) -> None:
    """Merge a host's data once, and give it our connector in place of pyinfra's SSH connector."""
    host.data = MergedData(host)
    if host.connector_cls is SSHConnector:
        host.connector_cls = over_ssh


def wrap_get_fact(host: Host, reading: Callable[[], AbstractContextManager[None]]) -> None:
    """Wrap a host's `get_fact` in the context `reading`."""
    get_fact = host.get_fact

    def wrapped(*args: Any, **kwargs: Any) -> Any:
        with reading():
            return get_fact(*args, **kwargs)

    host.get_fact = wrapped  # type: ignore[method-assign]


def stack() -> list[tuple[FrameType]]:
    """Return the frames from the caller outwards, as `inspect.stack` does, without reading the sources around each.

    pyinfra tells operations apart by the lines that call them, and looks at nothing else.
    """
    frames = []
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 - what inspect.stack begins with
    while frame:
        frames.append((frame,))
        frame = frame.f_back
    return frames


def frame_info(frame: FrameType) -> Traceback:
    return Traceback(frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_name, None, None)


class MergedData(HostData):
    """A host's data, merged once: pyinfra does so at each look, of which every operation and fact takes dozens."""

    def __init__(self, host: Host) -> None:
        super().__init__(host, host.data.dict(), host.get_deploy_data)

    def __getattr__(self, key: str) -> Any:
        overrides, merged, deploy = self.__dict__["datas"]
        for data in (overrides, merged, deploy()):
            if key in data:
                return copy(data[key])
        raise AttributeError(key)


REPLACED: dict[str, Callable[[Any], Any]] = {
    "pyinfra:is_cli": lambda _: True,  # group_data lies beside the inventory, and operations are told by their lines
    "pyinfra.api.util:stack": lambda _: stack,
    "pyinfra.api.util:getframeinfo": lambda _: frame_info,
    "pyinfra.api.arguments:all_global_arguments": cache,
    "pyinfra_cli.inventory:_get_group_data": lambda read: partial(group_data, read),
}
"""By module and name: a function that makes the replacement from the original."""
