"""Every process of a sandbox is in its control group: what it started can be found and ended, however it forked.

Each host has a group of its own: systemd in hosts that share one mixes up units of the same name.
"""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

from healthv1.errors import Fault, SandboxError
from healthv1.sandbox.commands import run
from healthv1.sandbox.locks import locked
from healthv1.sandbox.place import state_root

OWN_MOUNT = Path("/run/healthv1/cgroup")
"""Used where the machine has mounted no cgroup2 hierarchy itself."""


def _lock() -> Path:
    """While it is held, no other sandbox takes our own hierarchy away or begins to use it."""
    return state_root() / "locks" / ".cgroups"


def _mounted() -> Path | None:
    for line in Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines():
        _, where, kind, *_ = line.split()
        if kind == "cgroup2":
            return Path(where)
    return None


def _hierarchy() -> Path:
    mounted = _mounted()
    if mounted:
        return mounted
    OWN_MOUNT.mkdir(parents=True, exist_ok=True)
    run("mount", "-t", "cgroup2", "cgroup2", OWN_MOUNT)
    return OWN_MOUNT


def make(sandbox: str, part: str) -> Path:
    """Return the group of one part of a sandbox, made if it is missing."""
    with locked(_lock()):
        top = _hierarchy() / f"healthv1-{sandbox}"
        group = top / part
        group.mkdir(parents=True, exist_ok=True)
        _delegate(top)
    return group


def _delegate(top: Path) -> None:
    """Offer the machine's controllers to the hosts. One that cannot be offered (cgroup v1 has it) is left out."""
    for controller in (top / "cgroup.controllers").read_text(encoding="ascii").split():
        for group in (top.parent, top):
            with suppress(OSError):
                (group / "cgroup.subtree_control").write_text(f"+{controller}", encoding="ascii")


def freeze(group: Path, *, frozen: bool) -> None:
    (group / "cgroup.freeze").write_text("1" if frozen else "0", encoding="ascii")


def end(sandbox: str, part: str = "") -> None:
    """Kill whatever runs in this part of a sandbox (in all of it, without a part), and remove the group."""
    hierarchy = _mounted()
    group = hierarchy / f"healthv1-{sandbox}" / part if hierarchy else None
    if group and group.exists():
        _kill(group)
        _remove(group)
    if not part:
        with locked(_lock()):
            _unmount_own()


def _groups(top: Path) -> list[Path]:
    """Return the group and all below it, deepest first."""
    return [Path(directory) for directory, _, _ in os.walk(top, topdown=False)]


def _processes(top: Path) -> list[int]:
    processes: list[int] = []
    for group in _groups(top):
        with suppress(OSError):
            processes += map(int, (group / "cgroup.procs").read_text(encoding="ascii").split())
    return processes


def _kill(top: Path) -> None:
    freeze(top, frozen=False)
    deadline = time.monotonic() + 20
    while processes := _processes(top):
        if time.monotonic() > deadline:
            raise SandboxError(Fault(str(top), f"processes {processes} do not end, not even when killed."))
        for process in processes:
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        time.sleep(0.02)


def _remove(top: Path) -> None:
    deadline = time.monotonic() + 5
    for group in _groups(top):
        while group.exists() and time.monotonic() < deadline:
            with suppress(OSError):  # busy for a moment after its last process
                group.rmdir()


def _unmount_own() -> None:
    groups = list(OWN_MOUNT.glob("healthv1-*")) if OWN_MOUNT.is_mount() else ["not ours"]
    if not groups:
        run("umount", OWN_MOUNT)
        OWN_MOUNT.rmdir()
