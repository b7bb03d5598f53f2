"""`healthv1 sandbox …`: disposable hosts on this machine, and the servers around them."""

from __future__ import annotations

from collections.abc import Callable

from healthv1.sandbox import lifecycle
from healthv1.sandbox.description import Running, load
from healthv1.sandbox.lifecycle import Shape
from healthv1.sandbox.place import Sandbox
from healthv1.sandbox.reach import ssh_command
from healthv1.sandbox.status import Status
from healthv1.sandbox.status import status as status_of

SUITES = ("trixie", "bookworm")
Say = Callable[[str], None]


def up(
    hosts: int | None, suite: str | None, say: Say, *, drill: bool, replacement: bool, with_locked_s3: bool
) -> Running:
    """Bring it up, or mend what died of it. What is not said stays as it was made."""
    is_said = hosts or suite or drill or replacement
    said = Shape(hosts=hosts or 1, suite=suite or SUITES[0], drill=drill, replacement=replacement)
    return lifecycle.up(Sandbox.named(), said if is_said else None, say, with_locked_s3=with_locked_s3)


def down(say: Say) -> None:
    """Take it down and remove everything it made. The caches stay."""
    lifecycle.down(Sandbox.named(), say)


def status() -> Status:
    return status_of(Sandbox.named())


def ssh(host: str | None, command: tuple[str, ...]) -> list[str]:
    """Return the argv that logs in to the host (default: the first), or runs the command there."""
    running = load()
    return [*ssh_command(running.host(host) if host else running.hosts[0]), *command]
