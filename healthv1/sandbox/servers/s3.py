"""An S3 server that hosts reach at the gateway, with one bucket, refusing every key but the one made here."""

from __future__ import annotations

import json
import secrets
import socket

from healthv1.sandbox.addresses import Addresses
from healthv1.sandbox.description import S3
from healthv1.sandbox.keys import write_private
from healthv1.sandbox.place import Sandbox
from healthv1.sandbox.servers import server
from healthv1.sandbox.waiting import until

NAME = "s3"
BUCKET = "health-v1-backups"
_PORT = 9000


def start(sandbox: Sandbox, addresses: Addresses) -> None:
    if server.alive(sandbox, NAME):
        return
    place = server.directory(sandbox, NAME)
    (place / "data" / BUCKET).mkdir(parents=True, exist_ok=True)
    key = place / "key.json"
    if not key.exists():
        new_key = {"access_key_id": secrets.token_hex(10).upper(), "secret_access_key": secrets.token_urlsafe(30)}
        write_private(key, json.dumps(new_key))
    argv = [server.program("rclone"), "serve", "s3", "--config", "", "--addr", f"{addresses.gateway}:{_PORT}"]
    # rclone takes the key as an argument or from the environment, which root alone can read; it has no file for it.
    key_pair = json.loads(key.read_text(encoding="utf-8"))
    pair = f'"{key_pair["access_key_id"]},{key_pair["secret_access_key"]}"'
    server.start(sandbox, NAME, [*argv, str(place / "data")], {"RCLONE_AUTH_KEY": pair})


def ready(sandbox: Sandbox, addresses: Addresses) -> S3:
    def answers() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex((addresses.gateway, _PORT)) == 0

    until(answers, server.no_answer_fault(sandbox, NAME), seconds=30)
    key = server.directory(sandbox, NAME) / "key.json"
    return S3(f"http://{addresses.gateway}:{_PORT}", BUCKET, str(key))
