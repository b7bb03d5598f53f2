"""Throw-away servers on loopback, and clients of them that share no code with ours."""

import contextlib
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import requests

BAO = Path(sys.executable).parent / "bao"
ROOT = "root-token-of-a-test"


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]


class Started:
    """A process that is waited for, and ended by its id."""

    def __init__(self, argv, **more):
        self.process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **more)

    def until(self, question):
        for _ in range(200):
            with contextlib.suppress(requests.RequestException):
                return question()
            assert self.process.poll() is None, f"{self.process.args} ended"
            time.sleep(0.1)
        raise AssertionError(f"{self.process.args} did not start")

    def stop(self):
        self.process.terminate()
        self.process.wait(10)


class OpenBao(Started):
    """In memory and unsealed, or with a configuration of its own."""

    def __init__(self, configuration=None, address=None, verify=True):
        self.address = address or f"http://127.0.0.1:{free_port()}"
        self.verify, self.root = verify, ROOT
        listen = self.address.removeprefix("http://")
        dev = ["-dev", f"-dev-listen-address={listen}", f"-dev-root-token-id={ROOT}", "-dev-no-store-token"]
        super().__init__([BAO, "server", *([f"-config={configuration}"] if configuration else dev)])

    def call(self, method, path, namespace="", **data):
        headers = {"X-Vault-Token": self.root, "X-Vault-Namespace": namespace}
        url = f"{self.address}/v1/{path}"
        answer = requests.request(method, url, json=data or None, headers=headers, timeout=5, verify=self.verify)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def ready(self):
        self.until(lambda: self.call("GET", "sys/health"))
        self.call("POST", "sys/mounts/health-v1", type="kv", options={"version": "2"})
        return self

    def initialize(self):
        """Initialize and unseal what was started with a configuration."""
        self.until(lambda: self.call("GET", "sys/seal-status"))
        made = self.call("PUT", "sys/init", secret_shares=1, secret_threshold=1)
        self.root, self.unseal_key = made["root_token"], made["keys"][0]
        self.call("PUT", "sys/unseal", key=self.unseal_key)
        self.until(lambda: self.call("GET", "sys/health"))
        return self

    def join(self, other):
        """Be a second node of `other`'s cluster."""
        self.until(lambda: self.call("GET", "sys/seal-status"))
        self.root = other.root
        self.until(lambda: self.call("POST", "sys/storage/raft/join", leader_api_addr=other.address))
        self.call("PUT", "sys/unseal", key=other.unseal_key)

    def token(self, policy, **more):
        """Return a token that may do what `policy` says, and nothing else."""
        self.call("PUT", "sys/policies/acl/only", policy=policy)
        made = self.call("POST", "auth/token/create", policies=["only"], no_default_policy=True, **more)
        return made["auth"]["client_token"]


# One request at a time, so that each is as atomic as AWS's are. moto keeps everything in memory.
MOTO = """
import sys
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import run_simple
application = DomainDispatcherApplication(create_backend_app)
run_simple("127.0.0.1", int(sys.argv[1]), application, request_handler=MotoRequestHandler)
"""
KEYS = {"AWS_ACCESS_KEY_ID": "AKIAEXAMPLEEXAMPLE00", "AWS_SECRET_ACCESS_KEY": "key-of-a-test"}


class Moto(Started):
    def __init__(self):
        port = free_port()
        self.address = f"http://127.0.0.1:{port}"
        # Every test has a prefix of its own; some delete for good.
        super().__init__([sys.executable, "-c", MOTO, str(port)], env={**os.environ, **KEYS})

    def ready(self):
        self.until(lambda: requests.get(f"{self.address}/moto-api/data.json", timeout=5).raise_for_status())
        return self

    def client(self, service):
        import boto3

        known = {name.lower(): value for name, value in KEYS.items()}
        return boto3.client(service, region_name="eu-central-1", endpoint_url=self.address, **known)

    @contextlib.contextmanager
    def checking_permissions(self):
        requests.post(f"{self.address}/moto-api/reset-auth", data=b"0", timeout=5).raise_for_status()
        try:
            yield
        finally:
            requests.post(f"{self.address}/moto-api/reset-auth", data=b"inf", timeout=5).raise_for_status()
