"""What pyinfra works out again for every operation, had for less: half of what preparing a host costs this machine."""

from __future__ import annotations

import sys
from copy import copy
from functools import cache
from inspect import Traceback
from types import FrameType
from typing import Any

from pyinfra.api import arguments, util
from pyinfra.api.host import Host, HostData


def practise() -> None:
    """Replace pyinfra's costly ways to the same answers. Harmless when done twice."""
    vars(util).update(stack=stack, getframeinfo=whereabouts)
    if not hasattr(arguments.all_global_arguments, "cache_info"):
        vars(arguments).update(all_global_arguments=cache(arguments.all_global_arguments))


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


def whereabouts(frame: FrameType) -> Traceback:
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
