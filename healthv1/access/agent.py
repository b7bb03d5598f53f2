"""An SSH agent for OpenSSH's client: it holds a signed key in memory, and no file holds it."""

from __future__ import annotations

import os
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_ssh_private_key,
)
from paramiko.message import Message

from healthv1.errors import Fault, HostError
from healthv1.secrets.vault.ssh_certificates import Credential

ADD, LIFETIME, SUCCESS = 25, 1, 6  # draft-ietf-sshm-ssh-agent
PATIENCE = 5  # seconds
_CERTIFICATE = "ssh-ed25519-cert-v01@openssh.com"


# The agent ends with this process, even if it is killed: its stdin closes then.
_AGENT = 'ssh-agent -D -a "$1/agent" >/dev/null 2>&1 & cat >/dev/null; kill $!; wait; rm -rf -- "$1"'


@contextmanager
def agent(credential: Credential) -> Iterator[Path]:
    """Run an agent with this key as long as the context lasts, and yield its socket."""
    folder = Path(tempfile.mkdtemp(prefix="healthv1-agent-"))  # nobody else may enter it
    process = subprocess.Popen(
        ["sh", "-c", _AGENT, "agent", str(folder)],
        stdin=subprocess.PIPE,
        start_new_session=True,  # Ctrl-C is not meant for it
    )
    assert process.stdin is not None
    try:
        _add(folder / "agent", credential)
        yield folder / "agent"
    finally:
        process.stdin.close()
        process.wait()


def _add(at: Path, credential: Credential) -> None:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(PATIENCE)
        _await_socket(connection, at)
        request = addition(credential)
        connection.sendall(len(request).to_bytes(4, "big") + request)
        answer = connection.recv(5)
    if answer[-1:] != bytes([SUCCESS]):
        raise HostError(Fault("ssh-agent", "It did not take the signed key.", "check that OpenSSH is 8.2 or newer"))


def _await_socket(connection: socket.socket, at: Path) -> None:
    end = time.monotonic() + PATIENCE
    while connection.connect_ex(os.fspath(at)):
        if time.monotonic() > end:
            raise HostError(Fault("ssh-agent", "It did not start.", "install openssh-client"))
        time.sleep(0.01)


def addition(credential: Credential) -> bytes:
    """Return the agent's request to hold the key until its certificate ends."""
    private = load_ssh_private_key(credential.pem, None)
    assert isinstance(private, Ed25519PrivateKey)
    public = private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    seed = private.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())
    blob = credential.key.public_blob
    assert blob is not None
    message = Message()
    message.add_byte(bytes([ADD]))
    message.add_string(_CERTIFICATE)
    message.add_string(blob.key_blob)
    message.add_string(public)
    message.add_string(seed + public)
    message.add_string("healthv1")
    message.add_byte(bytes([LIFETIME]))
    message.add_int(max(1, int(credential.until - time.time())))
    return message.asbytes()
