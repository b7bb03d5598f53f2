"""What pyinfra works out again for every operation, had for less: half of what preparing a host costs this machine."""

from __future__ import annotations

import sys
from functools import cache
from inspect import Traceback
from types import FrameType

from pyinfra.api import arguments, util


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
