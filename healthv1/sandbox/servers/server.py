"""A server process of a sandbox: started if it is not running, its configuration and log in its own directory."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from healthv1.errors import Fault
from healthv1.sandbox import cgroups, processes
from healthv1.sandbox.place import Sandbox


def directory(sandbox: Sandbox, name: str) -> Path:
    path = sandbox.server(name)
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path


def alive(sandbox: Sandbox, name: str) -> bool:
    return processes.alive(sandbox.server(name) / "process")


def start(sandbox: Sandbox, name: str, argv: list[str], environment: Mapping[str, str] | None = None) -> None:
    place = directory(sandbox, name)
    processes.start(
        argv,
        record=place / "process",
        group=cgroups.make(sandbox.name, "servers"),
        log=place / "log",
        environment=environment,
    )
    processes.await_record(place / "process", place / "log")


def stop(sandbox: Sandbox, name: str) -> None:
    processes.stop(sandbox.server(name) / "process", grace=5)


def no_answer_fault(sandbox: Sandbox, name: str) -> Fault:
    """Return what to say of a server that does not answer."""
    return Fault(f"{name} of the sandbox {sandbox.name}", "does not answer.", f"read {sandbox.server(name) / 'log'}")


def program(name: str) -> str:
    """Return the path of a program that a Python package brought into this environment."""
    return str(Path(sys.executable).parent / name)
