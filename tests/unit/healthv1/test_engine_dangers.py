"""What the engine may not take for granted: what a host said before a write, that it is whole at once, who it is.

The connection is a stand-in that runs what it is given on this machine.
"""

import socket
import subprocess
from types import SimpleNamespace

import pyinfra
import pytest
from paramiko import AuthenticationException, BadAuthenticationType, BadHostKeyException, SSHException
from paramiko.ssh_exception import NoValidConnectionsError
from pyinfra.api.config import Config
from pyinfra.api.exceptions import ConnectError
from pyinfra.api.inventory import Inventory
from pyinfra.api.state import State
from pyinfra.connectors import ssh
from pyinfra.connectors.util import CommandOutput, OutputLine
from pyinfra.context import ctx_host, ctx_inventory, ctx_state

from deploys.component import Check
from deploys.facts.probe import Prints
from deploys.operations.claims import Claim
from deploys.rollout import Rollout
from healthv1.hosts.connector import FastSSH
from healthv1.hosts.session import Session
from healthv1.rollout import gate

SUDO = '#!/bin/sh\nwhile [ "${1#-}" != "$1" ]; do shift; done\nexec "$@"\n'
SIGNED = SimpleNamespace(key=object())


class Here:
    """A connection to this machine."""

    def __init__(self):
        self.ran = 0

    def run(self, command, stdin, _timeout, **_):
        self.ran += 1
        done = subprocess.run(["sh", "-c", command], input=stdin or "", capture_output=True, text=True, check=False)
        said = [OutputLine("stdout", line) for line in done.stdout.splitlines()]
        return done.returncode, CommandOutput(said)


@pytest.fixture
def session(tmp_path, monkeypatch):
    """A session with one host."""
    (tmp_path / "sudo").write_text(SUDO)
    (tmp_path / "sudo").chmod(0o700)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    pyinfra.is_cli = True
    state = State(check_for_changes=False)
    ctx_state.set(state)
    certificates = SimpleNamespace(credential=lambda _user: SIGNED)
    data = {"ssh_user": "admin", "ssh_hostname": "192.0.2.1", "sshd": SimpleNamespace(certificates=certificates)}
    inventory = Inventory(([("web1", data)], {}))
    for one in inventory:
        one.connector_cls = FastSSH
    state.init(inventory, Config(FAIL_PERCENT=0))
    ctx_inventory.set(inventory)
    state.active_hosts.update(inventory)
    state.activated_hosts.update(inventory)
    yield Session("test", state)
    ctx_state.reset()
    ctx_inventory.reset()


@pytest.fixture
def host(session):
    (found,) = session.hosts
    found.connector.line, found.connected = Here(), True
    ctx_host.set(found)
    yield found
    ctx_host.reset()


@pytest.fixture
def text(tmp_path):
    path = tmp_path / "text"
    path.write_text("one\n")
    return path


def _read(host, path):
    return host.get_fact(Prints, command=f"cat {path}")


def test_what_was_asked_before_a_write_is_asked_again_after_it(host, text):
    assert [_read(host, text) for _ in range(2)] == ["one", "one"]
    assert host.connector.line.ran == 1
    assert host.run_shell_command(f"echo two > {text}")[0]
    assert _read(host, text) == "two"


def test_what_was_asked_before_a_write_that_failed_is_asked_again_as_well(host, text):
    _read(host, text)
    assert not host.run_shell_command(f"echo two > {text}; exit 1")[0]
    assert _read(host, text) == "two"


def test_what_was_asked_before_a_file_was_sent_is_asked_again(host, text, monkeypatch):
    monkeypatch.setattr(ssh.SSHConnector, "put_file", lambda *_, **__: text.write_text("two\n"))
    _read(host, text)
    host.connector.put_file("x", str(text))
    assert _read(host, text) == "two"


def test_what_changed_has_some_seconds_to_be_whole_unless_group_data_says_otherwise():
    assert Rollout().settle >= 10


def _claim(path):
    return Claim(
        "nginx", Check("It is whole", f"test -e {path}/asked || {{ touch {path}/asked; false; }}", ""), "nginx"
    )


def test_a_claim_that_fails_at_first_is_tried_again_and_what_was_known_meanwhile_is_forgotten(
    session, host, tmp_path, text, monkeypatch
):
    monkeypatch.setattr(gate, "PAUSE", 0.01)
    _read(host, text)
    assert gate.failing_claims(session, {host: [_claim(tmp_path)]}, 5, lambda: False) == {}
    text.write_text("two\n")
    assert _read(host, text) == "two"


def test_a_claim_has_no_second_try_where_nothing_is_waited_for_or_somebody_stops_it(session, host, tmp_path):
    for settle, stops in ((0, False), (5, True)):
        (tmp_path / "asked").unlink(missing_ok=True)
        red = gate.failing_claims(session, {host: [_claim(tmp_path)]}, settle, lambda stops=stops: stops)
        assert [finding.claim for finding in red[host]] == ["It is whole"]


@pytest.fixture
def signing_in(host, monkeypatch):
    """Return a function that signs in where each try ends as given; it returns with which keys it was tried."""

    def run(*ends):
        tried, left = [], list(ends)

        def connect(client, _hostname, **arguments):
            client._ssh_config = {}
            tried.append("signed" if arguments.get("pkey") is SIGNED.key else "ordinary")
            if end := left.pop(0):
                raise end

        monkeypatch.setattr(ssh.SSHClient, "connect", connect)
        try:
            host.connector._sign_in()
        except (ConnectError, OSError, SSHException, EOFError) as error:
            return tried, type(error)
        return tried, None

    return run


NOT_ITS_REFUSAL = [
    BadHostKeyException("web1", None, None),
    SSHException("Error reading SSH protocol banner"),
    SSHException("No existing session"),
    NoValidConnectionsError({("192.0.2.1", 22): ConnectionRefusedError()}),
    TimeoutError("timed out"),
    ConnectionResetError("reset by peer"),
    socket.gaierror("Name or service not known"),
    EOFError(),
]


@pytest.mark.parametrize("error", NOT_ITS_REFUSAL, ids=lambda error: type(error).__name__)
def test_the_ordinary_key_is_not_shown_to_a_host_that_did_not_refuse_the_signed_one(signing_in, error):
    tried, raised = signing_in(error, None)
    assert tried == ["signed"]
    assert raised is not None


@pytest.mark.parametrize(
    "refusal", [AuthenticationException("refused"), BadAuthenticationType("refused", ["password"])]
)
def test_the_ordinary_key_is_tried_once_where_the_signed_one_was_refused(signing_in, host, refusal):
    assert signing_in(refusal, None) == (["signed", "ordinary"], None)
    assert host.connector.credential is None
    assert signing_in(refusal, AuthenticationException("refused as well")) == (["signed", "ordinary"], ConnectError)


def test_a_signed_key_that_the_host_takes_is_the_only_one(signing_in, host):
    assert signing_in(None) == (["signed"], None)
    assert host.connector.credential is SIGNED
