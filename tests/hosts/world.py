"""A sandbox of its own for tests, and the ways to look at it: our command, and eyes that share no code with it."""

import json
import os
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import boto3
import requests
import testinfra
from botocore.config import Config

from healthv1.sandbox import Sandbox, lifecycle, load
from healthv1.sandbox.lifecycle import Shape
from healthv1.sandbox.reach import on_host
from healthv1.sandbox.snapshots import reset, snapshot, snapshot_names
from tests.hosts.sharing import shared

REPOSITORY = Path(__file__).parents[2]
CONVERGED = "converged"


@dataclass
class World:
    name: str
    """No two workers of pytest-xdist share a sandbox."""
    shape: Shape = field(default_factory=Shape)

    def __post_init__(self):
        worker = os.environ.get("PYTEST_XDIST_WORKER")
        self.name += f"-{worker}" if worker else ""

    @property
    def sandbox(self):
        return Sandbox.named(self.name)

    @property
    def running(self):
        return load(self.name)

    @property
    def environment(self):
        return {**os.environ, "HEALTHV1_SANDBOX": self.name, "NO_COLOR": "1"}

    @property
    def kept(self):
        """What the secrets backend holds as active, read past our own code."""
        names = self.openbao("LIST", f"metadata/{self.name}").json()["data"]["keys"]
        return {
            name: self._active(self.openbao("GET", f"data/{self.name}/{name}").json()["data"]["data"]) for name in names
        }

    @staticmethod
    def _active(document):
        return document["value"] if "value" in document else document["versions"][str(document["active"])]["value"]

    def openbao(self, method, path, body=None):
        """Ask the secrets backend below its mount, past our own code."""
        found = self.running.openbao
        headers = {"X-Vault-Token": Path(found.token_file).read_text().strip()}
        url = f"{found.address}/v1/{found.mount}/{path}"
        answer = requests.request(method, url, json=body, headers=headers, timeout=10)
        answer.raise_for_status()
        return answer

    def s3(self):
        """Return a client of the sandbox's S3, past our own code."""
        return _client(self.running.s3, self.running.s3.key_file)

    def locked_s3(self, identity="host"):
        """Return a client of the S3 that locks its objects, as "admin", "host" or "reader"; started if it is not."""
        found = self.running.locked_s3 or lifecycle.up(self.sandbox, self.shape, with_locked_s3=True).locked_s3
        keys = {"admin": found.admin_key_file, "host": found.key_file, "reader": found.reader_key_file}
        return _client(found, keys[identity])

    def up(self):
        lifecycle.up(self.sandbox, self.shape)

    def down(self):
        lifecycle.down(self.sandbox)

    @contextmanager
    def for_a_while(self):
        """Begin from nothing, and leave nothing unless HEALTHV1_KEEP is set."""
        self.down()
        try:
            yield self
        finally:
            if not os.environ.get("HEALTHV1_KEEP"):
                self.down()

    def cli(self, *arguments, cwd=REPOSITORY, timeout=600, **environment):
        """Run `healthv1` as a user would; return what came of it."""
        return subprocess.run(
            [sys.executable, "-m", "healthv1", *arguments],
            cwd=cwd,
            env={**self.environment, **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def json(self, *arguments, **options):
        """Run `healthv1 … --json`; return its exit code and its document."""
        done = self.cli(*arguments, "--json", **options)
        assert done.stdout.startswith("{"), done.stdout + done.stderr
        return done.returncode, json.loads(done.stdout)

    def must(self, *arguments, **options):
        done = self.cli(*arguments, **options)
        assert done.returncode == 0, f"{arguments}:\n{done.stdout}\n{done.stderr}"
        return done

    def converge(self):
        """Have the hosts deployed, from the snapshot when there is one."""
        self.up()
        if CONVERGED in snapshot_names(self.sandbox):
            reset(self.sandbox, CONVERGED)
        else:
            with shared(self, CONVERGED):
                self.must("apply", "sandbox", "--yes")
                snapshot(self.sandbox, CONVERGED)

    def shell(self, command, host=0):
        """Run a shell command as root on a host; it must succeed. Returns its output."""
        done = on_host(self.running.hosts[host], f"sudo sh -c {quoted(command)}")
        assert done.returncode == 0, f"{command}:\n{done.stdout}{done.stderr}"
        return done.stdout

    def eye(self, host=0):
        """Return testinfra's view of a host."""
        at = self.running.hosts[host]
        extra = f"-F none -o UserKnownHostsFile={at.known_hosts} -o GlobalKnownHostsFile=/dev/null -o LogLevel=ERROR"
        return testinfra.get_host(
            f"ssh://{at.user}@{at.address}", ssh_identity_file=at.ssh_key, ssh_extra_args=extra, sudo=True
        )

    def curl(self, *arguments, url="/health/ready", stdin=None):
        """Ask the website from this machine with curl, trusting only the root that the sandbox issues under."""
        found = self.running
        name = f"{found.domain}:443:{found.edge.address}"
        url = url if "://" in url else f"https://{found.domain}{url}"
        argv = ["curl", "-sS", "--max-time", "10", "--cacert", found.acme.root_file, "--resolve", name, *arguments, url]
        return subprocess.run(argv, input=stdin, capture_output=True, text=True, check=False)


def _client(found, key_file):
    key = json.loads(Path(key_file).read_text())
    return boto3.client(
        "s3",
        endpoint_url=found.address,
        region_name=found.region,
        aws_access_key_id=key["access_key_id"],
        aws_secret_access_key=key["secret_access_key"],
        verify=found.ca_file,
        # rclone's S3 does not know the checksums that boto3 sends unasked.
        config=Config(s3={"addressing_style": "path"}, proxies={}, request_checksum_calculation="when_required"),
    )


def quoted(text):
    return "'" + text.replace("'", "'\\''") + "'"
