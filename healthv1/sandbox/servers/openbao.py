"""OpenBao answers on loopback, unsealed, with a key-value store that a narrow token may use.

The root token and the unseal key are in files that root alone can read: never in an argument or environment.
"""

from __future__ import annotations

import json
import shutil
import socket
from http import HTTPStatus
from pathlib import Path
from typing import Any

import requests

from healthv1.errors import Fault, SandboxError
from healthv1.sandbox.description import OpenBao
from healthv1.sandbox.keys import write_private
from healthv1.sandbox.place import Sandbox
from healthv1.sandbox.servers import server
from healthv1.sandbox.waiting import until

NAME = "openbao"
MOUNT = "health-v1"
_POLICY = f'path "{MOUNT}/*" {{ capabilities = ["create", "read", "update", "patch", "delete", "list"] }}'


def start(sandbox: Sandbox) -> None:
    if server.alive(sandbox, NAME):
        return
    place = server.directory(sandbox, NAME)
    if not (place / "config.json").exists():
        write_private(place / "config.json", json.dumps(_configuration(place), indent=2))
    (place / "data").mkdir(exist_ok=True)
    server.start(sandbox, NAME, [server.program("bao"), "server", f"-config={place / 'config.json'}"])


def ready(sandbox: Sandbox) -> OpenBao:
    """Wait for it, prepare it the first time, unseal it each time."""
    place = server.directory(sandbox, NAME)
    address = json.loads((place / "config.json").read_text(encoding="utf-8"))["api_addr"]
    client = _Client(address)
    silent = server.no_answer_fault(sandbox, NAME)
    until(client.answers, silent, seconds=30)
    if not (place / "unseal_key").exists():
        _begin_again(sandbox, client)
        until(client.answers, silent, seconds=30)
        _initialize(client, place)
    client.call("PUT", "sys/unseal", key=(place / "unseal_key").read_text(encoding="utf-8"))
    until(client.active, silent, seconds=30)
    if not (place / "token").exists():
        _furnish(client, place)
    return OpenBao(address, str(place / "token"), MOUNT)


def supply(sandbox: Sandbox, name: str, value: str) -> None:
    """Keep a secret that only a person can supply, as one does by hand; one that is there stays."""
    place = server.directory(sandbox, NAME)
    client = _Client(json.loads((place / "config.json").read_text(encoding="utf-8"))["api_addr"])
    token = (place / "token").read_text(encoding="utf-8")
    path = f"{MOUNT}/data/{sandbox.name}/{name}"
    if not client.finds(path, token):
        client.call("POST", path, token, data={"value": value})


class _Client:
    """Its HTTP API, as far as it is needed to set it up."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._session = requests.Session()
        self._session.trust_env = False

    def call(self, method: str, path: str, token: str = "", **data: Any) -> Any:
        headers = {"X-Vault-Token": token} if token else {}
        answer = self._session.request(
            method, f"{self._address}/v1/{path}", json=data or None, headers=headers, timeout=10
        )
        if not answer.ok:
            raise SandboxError(Fault(f"{method} {self._address}/v1/{path}", f"OpenBao says: {answer.text.strip()}"))
        return answer.json() if answer.content else None

    def finds(self, path: str, token: str) -> bool:
        headers = {"X-Vault-Token": token}
        return self._session.get(f"{self._address}/v1/{path}", headers=headers, timeout=10).ok

    def answers(self) -> bool:
        return self._health() is not None

    def active(self) -> bool:
        return self._health() == HTTPStatus.OK

    def _health(self) -> int | None:
        try:
            return self._session.get(f"{self._address}/v1/sys/health", timeout=5).status_code
        except requests.ConnectionError:
            return None


def _begin_again(sandbox: Sandbox, client: _Client) -> None:
    """Empty a store whose unseal key was lost, when an `up` died between its making and its writing."""
    if client.call("GET", "sys/init")["initialized"]:
        server.stop(sandbox, NAME)
        shutil.rmtree(server.directory(sandbox, NAME) / "data")
        start(sandbox)


def _initialize(client: _Client, place: Path) -> None:
    keys = client.call("PUT", "sys/init", secret_shares=1, secret_threshold=1)
    write_private(place / "root_token", keys["root_token"])
    write_private(place / "unseal_key", keys["keys"][0])


def _furnish(client: _Client, place: Path) -> None:
    root = (place / "root_token").read_text(encoding="utf-8")
    if f"{MOUNT}/" not in client.call("GET", "sys/mounts", root)["data"]:
        client.call("POST", f"sys/mounts/{MOUNT}", root, type="kv", options={"version": "2"})
    client.call("PUT", "sys/policies/acl/deploys", root, policy=_POLICY)
    response = client.call("POST", "auth/token/create-orphan", root, policies=["deploys"], display_name="deploys")
    write_private(place / "token", response["auth"]["client_token"])


def _configuration(place: Path) -> dict[str, Any]:
    port, cluster = _free_ports()
    return {
        "storage": {"raft": {"path": str(place / "data"), "node_id": "sandbox", "performance_multiplier": 1}},
        "listener": {"tcp": {"address": f"127.0.0.1:{port}", "tls_disable": True}},
        "api_addr": f"http://127.0.0.1:{port}",
        "cluster_addr": f"http://127.0.0.1:{cluster}",
        "log_level": "warn",
    }


def _free_ports() -> tuple[int, int]:
    with socket.create_server(("127.0.0.1", 0)) as first, socket.create_server(("127.0.0.1", 0)) as second:
        return first.getsockname()[1], second.getsockname()[1]
