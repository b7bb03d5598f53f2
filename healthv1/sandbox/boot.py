"""A host runs: its layers are mounted, and systemd-nspawn keeps it up, also when it reboots itself."""

from __future__ import annotations

import shutil
from pathlib import Path

from healthv1.sandbox import cgroups, processes
from healthv1.sandbox.addresses import Addresses
from healthv1.sandbox.commands import run
from healthv1.sandbox.place import Sandbox

# The mounts are in a namespace of this shell: they are gone with it, whatever ended it.
# `volatile`: the kernel need not flush what is thrown away anyway; apt is twice as quick.
# The link of a host that was killed outlives it while the kernel takes its network apart; nspawn would refuse to start.
_SUPERVISE = r"""set -eu
directory=$1 group=$2 link=$3; shift 3; cd "$directory"
[ ! -e disk ] || mount -o loop disk layer
rm -rf layer/work; mkdir -p layer/upper layer/work root
mount -t overlay overlay root \
  -o "lowerdir=$(cat lower),upperdir=layer/upper,workdir=layer/work,volatile,index=off,metacopy=off,redirect_dir=on"
if [ -e identity.tar ]; then tar -C root -xpf identity.tar; rm identity.tar; fi
host=; trap '[ -z "$host" ] || kill "$host"' TERM
while :; do
  ip link delete "$link" 2>/dev/null || true
  (echo 0 >"$group/cgroup.procs"; exec systemd-nspawn --directory="$directory/root" "$@") & host=$!
  code=0; wait "$host" || code=$?
  while kill -0 "$host" 2>/dev/null; do code=0; wait "$host" || code=$?; done
  [ "$code" -eq 133 ] || exit "$code"  # 133: the host asked for a reboot. systemd-nspawn(1), "Exit status"
done
"""

STOP_SECONDS = 30.0


def create(sandbox: Sandbox, name: str, lower: str, disk_size: str) -> None:
    """Give a host an empty layer of its own above `lower`: of `disk_size` ("1G"), if it is not empty."""
    directory = sandbox.host(name)
    for layer in ("layer", "root"):
        shutil.rmtree(directory / layer, ignore_errors=True)
        (directory / layer).mkdir(parents=True)
    disk = directory / "disk"
    disk.unlink(missing_ok=True)
    if disk_size:
        run("truncate", "--size", disk_size, disk)
        run("mkfs.ext4", "-q", "-m", "0", disk)
    (directory / "lower").write_text(lower, encoding="utf-8")


def created(sandbox: Sandbox, name: str) -> bool:
    return (sandbox.host(name) / "lower").exists()


def start(sandbox: Sandbox, addresses: Addresses, name: str) -> None:
    directory = sandbox.host(name)
    supervise = ("unshare", "--mount", "sh", "-c", _SUPERVISE, "supervise")
    processes.start(
        [
            *supervise,
            str(directory),
            str(cgroups.make(sandbox.name, name)),
            link(addresses, name),
            *_nspawn(addresses, name),
        ],
        record=directory / "process",
        group=cgroups.make(sandbox.name, "supervisors"),
        log=directory / "console.log",
        environment={"SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1", "SYSTEMD_NSPAWN_LOCK": "0"},
    )
    processes.await_record(directory / "process", directory / "console.log")


def alive(sandbox: Sandbox, name: str) -> bool:
    return processes.alive(sandbox.host(name) / "process")


def stop(sandbox: Sandbox, name: str) -> None:
    """Shut the host down in order; what has not ended by then is killed."""
    processes.stop(sandbox.host(name) / "process", grace=STOP_SECONDS)
    cgroups.end(sandbox.name, name)


def kill(sandbox: Sandbox, name: str) -> None:
    """Cut its power."""
    processes.stop(sandbox.host(name) / "process", grace=0)
    cgroups.end(sandbox.name, name)


def remove_leftovers(addresses: Addresses) -> None:
    """Remove what systemd-nspawn leaves in /run when it is killed."""
    for path in Path("/run/systemd/nspawn").glob(f"*/{machine(addresses, '*')}"):
        shutil.rmtree(path, ignore_errors=True)


def machine(addresses: Addresses, name: str) -> str:
    """Return the name that this machine knows a host by."""
    return f"v{addresses.number}-{name}"


def link(addresses: Addresses, name: str) -> str:
    """Return the name of this machine's end of the host's link, as systemd-nspawn chooses it."""
    return f"vb-{machine(addresses, name)}"


def _nspawn(addresses: Addresses, name: str) -> list[str]:
    return [
        *("--quiet", "--boot", "--register=no", "--keep-unit", "--settings=no", "--link-journal=no"),
        *("--resolv-conf=off", "--timezone=off", "--private-users=no", "--console=pipe"),
        *(f"--network-bridge={addresses.bridge}", f"--machine={machine(addresses, name)}", f"--hostname={name}"),
        # A rented server is not a container: its services may use what the kernel has.
        *("--capability=all", "--system-call-filter=add_key keyctl bpf request_key"),
    ]
