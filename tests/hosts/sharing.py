"""One host is deployed in a run of several workers: a worker that comes later begins with a copy, and makes it its own.

A copy has an address, a name and keys of its own, and its backend holds what the other's held: little is left to do.
"""

import json
import os
import subprocess
from contextlib import contextmanager, nullcontext

from healthv1.sandbox import identity
from healthv1.sandbox.addresses import allot
from healthv1.sandbox.keys import write_private
from healthv1.sandbox.locks import locked
from healthv1.sandbox.place import Sandbox, state_root
from healthv1.sandbox.snapshots import reset

RUN = os.environ.get("PYTEST_XDIST_TESTRUNUID", "")
COPIED = "copied"
ITS_OWN = "rm -rf /etc/letsencrypt /etc/nginx/tls/health-v1.pem; sed -i '{}' /var/lib/healthv1/applied.json"
"""Another authority issued the certificate, and the members of the deployment have other addresses."""


def shared(world, name):
    """For the time in which a world makes its snapshot `name`: it has begun with another worker's, if there is one."""
    return _shared(world, name) if RUN else nullcontext()


@contextmanager
def _shared(world, name):
    run = f"{RUN} {world.shape}"
    with locked(state_root() / "locks" / ".shared"):
        for path in state_root().glob(f"sandboxes/*/snapshots/{name}/shared.json"):
            if (made := json.loads(path.read_text()))["run"] == run:
                _begin_with(world, path.parent, made)
                yield
                return
        yield
        made = {"run": run, "addresses": [host.address for host in world.running.hosts], "secrets": _secrets(world)}
        write_private(world.sandbox.snapshots / name / "shared.json", json.dumps(made))


def begin_with_first(world, other):
    """Have the first host of a sandbox be what another sandbox's is in its snapshot, with the same secrets."""
    snapshot = other.sandbox.snapshots / "converged"
    made = {"addresses": [other.running.hosts[0].address], "secrets": _secrets(other)}
    _begin_with(world, snapshot, made, only=world.shape.names[0])


def _secrets(world):
    names = world.openbao("LIST", f"metadata/{world.name}").json()["data"]["keys"]
    return {name: world.openbao("GET", f"data/{world.name}/{name}").json()["data"]["data"] for name in names}


def _begin_with(world, snapshot, made, only=""):
    names = [only] if only else world.shape.names
    with locked(Sandbox(snapshot.parents[1].name).lock):  # it is not taken down meanwhile
        _copy_hosts(world, snapshot, names)
    for name, document in made["secrets"].items():
        if name == "backup_credentials":  # each sandbox has an S3 of its own
            continue
        world.openbao("POST", f"data/{world.name}/{name}", {"data": document})
    reset(world.sandbox, COPIED, only=only)
    hosts = world.running.hosts[: len(names)]
    moved = [f"s/{there}/{here.address}/g" for there, here in zip(made["addresses"], hosts, strict=True)]
    for position in range(len(hosts)):
        world.shell(ITS_OWN.format("; ".join(moved)), position)


def _copy_hosts(world, snapshot, names):
    """Nobody writes into a snapshot: its files are linked."""
    copied = world.sandbox.snapshots / COPIED
    for position, name in enumerate(names, 1):
        (copied / name).mkdir(parents=True)
        subprocess.run(["cp", "-al", snapshot / name / "upper", copied / name / "upper"], check=True)
        _, _, below = (snapshot / name / "lower").read_text().partition(":")
        (copied / name / "lower").write_text(f"{copied / name / 'upper'}:{below}")
        identity.pack(world.sandbox, allot(world.sandbox), name, position)
    (copied / "whole").touch()
