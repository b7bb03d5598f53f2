"""An S3 server whose bucket keeps every version for a day, with a key each for its owner, its hosts and its readers.

Started only when asked for: SeaweedFS takes some seconds and 130 MB.
"""

from __future__ import annotations

import json
from pathlib import Path

from healthv1.sandbox.addresses import S3_NAME, Addresses
from healthv1.sandbox.description import LockedS3Server
from healthv1.sandbox.keys import write_private
from healthv1.sandbox.place import Sandbox
from healthv1.sandbox.servers import s3, server
from healthv1.sandbox.waiting import until

NAME = "locked-s3"
BUCKET = "locked"
PROGRAMS = ("weed",)

_ACTIONS = {
    "admin": ["Admin", "Read", "Write", "List", "Tagging"],
    "host": [f"Read:{BUCKET}", f"Write:{BUCKET}", f"List:{BUCKET}"],
    "reader": [f"Read:{BUCKET}", f"List:{BUCKET}"],
}


def ask_for(sandbox: Sandbox) -> None:
    """Have it belong to the sandbox from the next start on."""
    server.directory(sandbox, NAME)


def asked_for(sandbox: Sandbox) -> bool:
    return sandbox.server(NAME).exists()


def start(sandbox: Sandbox, addresses: Addresses) -> None:
    if server.alive(sandbox, NAME):
        return
    place = server.directory(sandbox, NAME)
    (place / "data").mkdir(exist_ok=True)
    write_private(place / "identities.json", json.dumps({"identities": [_identity(place, name) for name in _ACTIONS]}))
    server.start(sandbox, NAME, _argv(place, s3.certificate(sandbox, addresses), addresses))


def ready(sandbox: Sandbox, addresses: Addresses) -> LockedS3Server:
    """Wait for it, and have the bucket there."""
    # Imported when it is needed: boto3 takes 0.2 s, which every command would wait for.
    from healthv1.sandbox.servers import locked_bucket  # noqa: PLC0415

    place = server.directory(sandbox, NAME)
    running = LockedS3Server(
        endpoint=f"https://{S3_NAME}:{_s3_port(addresses)}",
        bucket=BUCKET,
        key_file=str(_key_file(place, "host")),
        address=f"https://{addresses.gateway}:{_s3_port(addresses)}",
        region=s3.REGION,
        ca_file=str(s3.certificate(sandbox, addresses) / "ca.pem"),
        admin_key_file=str(_key_file(place, "admin")),
        reader_key_file=str(_key_file(place, "reader")),
    )
    until(lambda: locked_bucket.made(running), server.no_answer_fault(sandbox, NAME), seconds=60)
    return running


def remove_leftovers(addresses: Addresses) -> None:
    """Remove the sockets that SeaweedFS leaves in /tmp when it is killed. It names them after its ports."""
    for port in _ports(addresses).values():
        for number in (port, port + _TO_GRPC):
            for path in Path("/tmp").glob(f"seaweedfs-*-{number}.sock"):  # noqa: S108 - its choice, not ours
                path.unlink(missing_ok=True)


# It listens on loopback and in /tmp besides, where all sandboxes are: none has another's ports.
_FIRST_PORT, _TO_GRPC = 20000, 10000


def _ports(addresses: Addresses) -> dict[str, int]:
    first = _FIRST_PORT + 10 * addresses.number
    return {part: first + place for place, part in enumerate(("master", "volume", "filer", "s3"))}


def _s3_port(addresses: Addresses) -> int:
    return _ports(addresses)["s3"]


def _argv(place: Path, certificate: Path, addresses: Addresses) -> list[str]:
    # S3 alone answers the hosts: the servers behind it ask for no key.
    addressed = ["-ip=127.0.0.1", "-ip.bind=127.0.0.1", f"-s3.ip.bind={addresses.gateway}"]
    ports = [f"-{part}.port={port}" for part, port in _ports(addresses).items()]
    grpc_ports = [f"-{part}.port.grpc={port + _TO_GRPC}" for part, port in _ports(addresses).items()]
    return [
        *(server.program("weed"), "-logtostderr=true", "server", f"-dir={place / 'data'}", *addressed),
        *(*ports, *grpc_ports, "-s3.port.iceberg=0", "-s3.port.lance=0"),
        *("-master.volumeSizeLimitMB=1000", "-volume.max=60", "-filer", "-s3", "-s3.iam=false"),
        *(f"-s3.cert.file={certificate / 'cert.pem'}", f"-s3.key.file={certificate / 'key.pem'}"),
        f"-s3.config={place / 'identities.json'}",
    ]


def _key_file(place: Path, name: str) -> Path:
    return place / f"{name}.json"


def _identity(place: Path, name: str) -> dict[str, object]:
    pair = s3.key_pair(_key_file(place, name))
    credentials = {"accessKey": pair["access_key_id"], "secretKey": pair["secret_access_key"]}
    return {"name": name, "credentials": [credentials], "actions": _ACTIONS[name]}
