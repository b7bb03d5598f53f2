"""SSH keys with a passphrase: an SSH agent signs with them, so that no run asks for a passphrase."""

from __future__ import annotations

import base64
import binascii
import os
from contextlib import suppress
from pathlib import Path

from paramiko import SSHException
from paramiko.agent import Agent, AgentKey

from healthv1.errors import Fault, HostError

_MAGIC = b"openssh-key-v1\0"


def agent_key(host: str, path: Path) -> AgentKey | None:
    """Return the agent's key for a key file; None when it has no passphrase. Raises `HostError` if no agent has it."""
    text = _read_text(path)
    if not has_passphrase(text):
        return None
    public_keys = (key_bytes(text), key_bytes(_read_text(path.with_name(f"{path.name}.pub"))))
    # An agent for each host: two that sign at once would read each other's answers.
    for key in _agent_keys():
        if any(key.asbytes() in public_key for public_key in public_keys):
            return key
    raise HostError(passphrase_fault(host, path))


def passphrase_fault(host: str, *paths: Path) -> Fault:
    """Return the fault for the first key with a passphrase, of `paths` and of those in ~/.ssh."""
    default_keys = (Path.home() / ".ssh" / f"id_{kind}" for kind in ("ed25519", "ecdsa", "rsa"))
    path = next(
        (candidate for candidate in (*paths, *default_keys) if has_passphrase(_read_text(candidate))), "of yours"
    )
    # Quoted in any case: a hint that ends in a quote has no full stop that would be taken for the path's.
    add = f"ssh-add '{path}'" if isinstance(path, Path) else "ssh-add, with its path"
    hint = add if os.environ.get("SSH_AUTH_SOCK") else f'eval "$(ssh-agent)"; {add}'
    return Fault(host, f"The SSH key {path} has a passphrase, and no agent holds it.", hint)


def has_passphrase(text: str) -> bool:
    """Whether a private key's file has a passphrase."""
    content = key_bytes(text)
    if content.startswith(_MAGIC):
        return not content.removeprefix(_MAGIC).startswith(b"\0\0\0\4none")
    return "ENCRYPTED" in text


def key_bytes(text: str) -> bytes:
    """Return the bytes in a key's file. OpenSSH's own has the public key in clear ahead of the private one."""
    if text.startswith("-----"):
        text = "".join(line for line in text.splitlines() if not line.startswith("-----") and ":" not in line)
    else:
        text = [*text.split(), "", ""][1]
    try:
        return base64.b64decode(text)
    except binascii.Error:
        return b""


def _read_text(path: Path) -> str:
    return path.read_text(errors="replace") if path.is_file() else ""


def _agent_keys() -> tuple[AgentKey, ...]:
    with suppress(SSHException, OSError):
        return tuple(Agent().get_keys())
    return ()
