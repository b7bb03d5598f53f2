"""What this machine must have to make hosts. Each thing it lacks is named, all at once."""

from __future__ import annotations

import os
import platform
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from healthv1.errors import Fault, SandboxError
from healthv1.sandbox.commands import succeeds
from healthv1.sandbox.place import state_root
from healthv1.sandbox.servers.server import program

_PROGRAMS = {
    "mmdebstrap": "mmdebstrap",
    "systemd-nspawn": "systemd-container",
    "pebble": "pebble",
    "pebble-challtestsrv": "pebble",
    "nft": "nftables",
    "ip": "iproute2",
    "ssh": "openssh-client",
    "mkfs.ext4": "e2fsprogs",
    "setpriv": "util-linux",
    "unshare": "util-linux",
}

APT_PACKAGES = tuple(sorted(set(_PROGRAMS.values())))
"""The packages that bring what is missing, on Debian and Ubuntu."""

_PYTHON_PROGRAMS = ("bao", "rclone")

# Firewalls inside of the hosts need these; where they are built in, or already there, loading them does nothing.
_MODULES = (
    *("overlay", "bridge", "veth", "loop", "nf_tables", "nft_compat", "nft_masq", "nft_ct", "nft_limit", "nft_log"),
    *("nft_reject_inet", "xt_conntrack", "xt_limit", "xt_recent", "xt_addrtype", "xt_LOG", "xt_tcpudp"),
    *("xt_multiport", "xt_hl"),
)


def requirements(*python_programs: str) -> list[Fault]:
    """Return one fault for each thing that this machine lacks; none if it can make hosts.

    `python_programs` are those of our extra "sandbox" that are needed besides.
    """
    if platform.system() != "Linux":
        return [Fault("this machine", f"runs {platform.system()}; hosts are made of Linux namespaces.", _elsewhere())]
    return [*_programs((*_PYTHON_PROGRAMS, *python_programs)), *_capabilities()]


def require(*python_programs: str) -> None:
    """Raise with all that is missing, or load what the hosts need and return."""
    faults = requirements(*python_programs)
    if faults:
        what = "cannot make disposable hosts; what it lacks is named above."
        raise SandboxError(*faults, Fault("this machine", what, _elsewhere()))
    if shutil.which("modprobe"):
        for module in _MODULES:
            succeeds("modprobe", "--quiet", module)


def _elsewhere() -> str:
    return "no sandbox is needed for your own servers, which can be reached from here: healthv1 apply production"


def _programs(python_programs: tuple[str, ...]) -> Iterator[Fault]:
    for name, package in _PROGRAMS.items():
        if not shutil.which(name):
            yield Fault(name, "is not installed.", f"apt-get install {package}")
    for name in python_programs:
        if not Path(program(name)).exists():
            yield Fault(name, "is not installed in this environment.", "pip install 'healthv1[sandbox]'")


def _overlays() -> bool:
    state_root().mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=state_root()) as directory:
        script = f"cd {directory} && mkdir a b c d && mount -t overlay -o lowerdir=a,upperdir=b,workdir=c overlay d"
        return succeeds("unshare", "--mount", "sh", "-c", script)


def _capabilities() -> Iterator[Fault]:
    if os.geteuid() != 0:
        yield Fault("this user", "is not root, and a host's file tree belongs to root.", "run it with sudo")
    elif not shutil.which("unshare"):
        return  # which is told already, and what the kernel can do is not known without it
    elif not succeeds("unshare", "--mount", "--pid", "--net", "--cgroup", "--fork", "true"):
        yield Fault("this machine", "refuses namespaces, even to root (CAP_SYS_ADMIN).", "leave the container")
    elif not _overlays():
        what = "cannot hold the upper layer of an overlay (it may itself be one, in a container)."
        yield Fault(str(state_root()), what, "set HEALTHV1_STATE to a directory on another file system")
    file_systems = Path("/proc/filesystems").read_text(encoding="utf-8").split()
    for kind in ("overlay", "cgroup2"):
        if kind not in file_systems and not succeeds("modprobe", kind):
            yield Fault("this machine's kernel", f"has no {kind} file system.", "use a kernel that has it")
