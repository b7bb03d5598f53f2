"""Whom a host does not let work is told what to do: a command that runs as it stands."""

import os
import subprocess
from types import SimpleNamespace

import pytest

from deploys.faults import Fault
from healthv1.errors import HostError
from healthv1.hosts.keys import agent_key, has_passphrase, key_bytes, passphrase_fault
from healthv1.hosts.refusals import connect_fault, sudo_fault


def _key(path, passphrase, *options):
    subprocess.run(["ssh-keygen", "-q", "-N", passphrase, "-f", path, *options], check=True)
    return path.read_text()


@pytest.mark.parametrize("options", [("-t", "ed25519"), ("-t", "ecdsa"), ("-t", "rsa", "-m", "PEM")], ids=" ".join)
def test_a_key_that_only_a_passphrase_opens_is_known_by_its_file(tmp_path, options):
    assert not has_passphrase(_key(tmp_path / "open", "", *options))
    assert has_passphrase(_key(tmp_path / "closed", "a passphrase", *options))


def test_an_agents_key_is_known_in_the_sealed_file_itself(tmp_path):
    text = _key(tmp_path / "key", "a passphrase", "-t", "ed25519")
    other = _key(tmp_path / "other", "a passphrase", "-t", "ed25519")
    public = key_bytes((tmp_path / "key.pub").read_text())
    assert public in key_bytes(text)
    assert public not in key_bytes(other)


def test_without_an_agent_it_is_one_refusal_and_no_question(tmp_path, monkeypatch):
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    path = tmp_path / "key"
    _key(path, "a passphrase", "-t", "ed25519")
    with pytest.raises(HostError) as refused:
        agent_key("db1", path)
    (fault,) = refused.value.faults
    assert str(fault) == f"db1: {fault.what}\nHint:  eval \"$(ssh-agent)\"; ssh-add '{path}'"
    monkeypatch.setenv("SSH_AUTH_SOCK", "/run/agent")
    assert passphrase_fault("db1", path).hint == f"ssh-add '{path}'"


def test_an_open_key_and_a_file_that_is_not_there_are_left_to_pyinfra(tmp_path):
    _key(tmp_path / "key", "", "-t", "ed25519")
    assert agent_key("db1", tmp_path / "key") is None
    assert agent_key("db1", tmp_path / "none") is None


def _host(**data):
    return SimpleNamespace(name="db1", data={"ssh_hostname": "10.0.0.1", "ssh_port": 2222, "ssh_key": "/a key"} | data)


def _ran(hint, tmp_path):
    """Return the words that ssh is given when the hint is pasted into a shell."""
    ssh = tmp_path / "ssh"
    ssh.write_text("#!/bin/sh\nfor word; do printf '%s\\0' \"$word\"; done\n")
    ssh.chmod(0o700)
    env = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    said = subprocess.run(["sh", "-c", hint[hint.index("ssh ") :]], env=env, capture_output=True, text=True, check=True)
    return said.stdout.split("\0")[:-1]


THERE = ["-t", "-i", "/a key", "-p", "2222"]


@pytest.mark.parametrize(
    ("user", "said", "advised"),
    [
        ("admin", "sudo: a password is required", 'echo "admin ALL=(ALL) NOPASSWD: ALL" | sudo tee -a '),
        ("admin", "sudo: sorry, you must have a tty to run sudo", 'echo "Defaults:admin !requiretty" | sudo tee -a '),
        ("admin", "sh: 2: eval: sudo: not found", 'su -c "apt-get update && apt-get install -y sudo && echo admin '),
        ("root", "sh: 2: eval: sudo: not found", "apt-get update && apt-get install -y sudo"),
    ],
)
def test_each_refusal_of_sudo_has_its_own_way_out(user, said, advised, tmp_path):
    fault = sudo_fault(_host(ssh_user=user), [said])
    *words, command = _ran(str(fault).partition("Hint:  ")[2], tmp_path)
    assert words == [*THERE, f"{user}@10.0.0.1"]
    assert command.startswith(advised)
    assert not command.endswith(".")


def test_each_host_that_cannot_be_worked_on_has_a_hint():
    for said in (
        "No answer for 60 s, given up",
        "The connection was lost",
        "sshd opens no session (MaxSessions)",
        "Its login shell ran no command (Please connect as {admin}.)",
    ):
        fault = connect_fault(_host(), said)
        assert fault.what == f"{said}."
        assert fault.hint
    assert "ssh -i '/a key' -p 2222 10.0.0.1 'echo it answers'" in connect_fault(_host(), "No answer for 60 s").hint


def test_no_full_stop_is_pasted_with_a_quoted_word():
    assert str(Fault("db1", "It is shut.", "run 'a'")).endswith("run 'a'")
    assert str(Fault("db1", "It is shut.", "run a")).endswith("run a")
