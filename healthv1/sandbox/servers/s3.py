"""An S3 server that hosts reach at the gateway over TLS, with one bucket, refusing every key but the one made here."""

from __future__ import annotations

import json
import secrets
import shutil
import socket
from pathlib import Path

from healthv1.sandbox import certificates
from healthv1.sandbox.addresses import S3_NAME, Addresses
from healthv1.sandbox.description import S3
from healthv1.sandbox.keys import write_private
from healthv1.sandbox.place import Sandbox
from healthv1.sandbox.servers import server
from healthv1.sandbox.waiting import until

NAME = "s3"
BUCKET = "health-v1-backups"
REGION = "us-east-1"
_PORT = 9000


def start(sandbox: Sandbox, addresses: Addresses) -> None:
    place = server.directory(sandbox, NAME)
    if not (place / "cert.pem").exists():
        server.stop(sandbox, NAME)  # an earlier version's speaks no TLS
        certificate(sandbox, addresses)
    if server.alive(sandbox, NAME):
        return
    (_data(sandbox) / BUCKET).mkdir(parents=True, exist_ok=True)
    argv = [server.program("rclone"), "serve", "s3", "--config", "", "--addr", f"{addresses.gateway}:{_PORT}"]
    argv += ["--cert", str(place / "cert.pem"), "--key", str(place / "key.pem"), str(place / "data")]
    # rclone takes the key as an argument or from the environment, which root alone can read; it has no file for it.
    pair = key_pair(place / "key.json")
    server.start(sandbox, NAME, argv, {"RCLONE_AUTH_KEY": f'"{pair["access_key_id"]},{pair["secret_access_key"]}"'})


def ready(sandbox: Sandbox, addresses: Addresses) -> S3:
    def answers() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex((addresses.gateway, _PORT)) == 0

    until(answers, server.no_answer_fault(sandbox, NAME), seconds=30)
    return S3(
        endpoint=f"https://{S3_NAME}:{_PORT}",
        bucket=BUCKET,
        key_file=str(server.directory(sandbox, NAME) / "key.json"),
        address=f"https://{addresses.gateway}:{_PORT}",
        region=REGION,
        ca_file=str(certificate(sandbox, addresses) / "ca.pem"),
    )


def credentials(sandbox: Sandbox) -> str:
    """Return the key and its secret as settings want them, with a colon in between."""
    pair = key_pair(server.directory(sandbox, NAME) / "key.json")
    return f"{pair['access_key_id']}:{pair['secret_access_key']}"


def keep(sandbox: Sandbox, folder: Path) -> None:
    """Copy what the bucket holds: a host that is given back as it was has to find its backups as they were."""
    shutil.copytree(_data(sandbox), folder / "s3", symlinks=True)


def give_back(sandbox: Sandbox, addresses: Addresses, folder: Path) -> None:
    """Have the bucket hold what it held when `folder` was kept."""
    if not (folder / "s3").exists():
        return
    server.stop(sandbox, NAME)  # it remembers what a directory held
    shutil.rmtree(_data(sandbox))
    shutil.copytree(folder / "s3", _data(sandbox), symlinks=True)
    start(sandbox, addresses)
    ready(sandbox, addresses)


def _data(sandbox: Sandbox) -> Path:
    return server.directory(sandbox, NAME) / "data"


def certificate(sandbox: Sandbox, addresses: Addresses) -> Path:
    """Return the directory of the certificate for every S3 of this sandbox, made if it is missing."""
    place = server.directory(sandbox, NAME)
    if not (place / "cert.pem").exists():
        certificates.write(place, [addresses.gateway, addresses.gateway6], (S3_NAME,))
    return place


def key_pair(path: Path) -> dict[str, str]:
    """Return the key in this file, made if it is missing."""
    if not path.exists():
        new = {"access_key_id": secrets.token_hex(10).upper(), "secret_access_key": secrets.token_urlsafe(30)}
        write_private(path, json.dumps(new))
    pair: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
    return pair
