"""Refuses an incompatible pyinfra, before any patch is applied to it."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterable
from importlib import metadata

from healthv1.errors import Fault, Refused
from healthv1.hosts.pyinfra_reached import WRITTEN_FOR, assumptions


def refuse_other_version(also: Iterable[str] = ()) -> None:
    """Raise `Refused` with every assumption that does not hold of the installed pyinfra.

    + also: further known differences.
    """
    broken = [*(text for assumption in assumptions() if (text := assumption.broken())), *also]
    if broken:
        what = f"{_installed()} is installed; healthv1 was written for pyinfra {WRITTEN_FOR}"
        raise Refused(Fault("pyinfra", f"{what} ({'; '.join(dict.fromkeys(broken))}).", _hint()))


def _installed() -> str:
    try:
        return metadata.version("pyinfra")
    except metadata.PackageNotFoundError:
        return "nothing"


def _hint() -> str:
    altered = _installed().startswith(f"{WRITTEN_FOR}.")
    anew = ("--force-reinstall", "--no-deps") if altered else ()
    command = (sys.executable, "-m", "pip", "install", *anew, f"pyinfra=={WRITTEN_FOR}.*")
    return f"install that one: {shlex.join(command)}"
