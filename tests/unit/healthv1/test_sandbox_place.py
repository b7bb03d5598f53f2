"""Names, networks and locks: what a sandbox is before anything runs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from healthv1.errors import SandboxError
from healthv1.sandbox import Sandbox, addresses
from healthv1.sandbox.addresses import Addresses, allot
from healthv1.sandbox.locks import locked


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HEALTHV1_STATE", str(tmp_path))
    monkeypatch.setattr(addresses, "run", lambda *_: "")
    return tmp_path


def test_the_name_comes_from_the_environment_unless_it_is_given(monkeypatch):
    monkeypatch.delenv("HEALTHV1_SANDBOX", raising=False)
    assert Sandbox.named().name == "sandbox"
    monkeypatch.setenv("HEALTHV1_SANDBOX", "mine")
    assert Sandbox.named().name == "mine"
    assert Sandbox.named("yours").name == "yours"


@pytest.mark.parametrize("name", ["../etc", "Upper", "1st", "a b", "x" * 40, ""])
def test_a_name_that_could_lead_out_of_the_state_directory_is_refused(name):
    with pytest.raises(SandboxError, match="lower-case letters"):
        Sandbox(name)


def test_a_sandbox_keeps_its_networks_and_shares_them_with_none():
    first, second = allot(Sandbox("first")), allot(Sandbox("second"))
    assert first != second
    assert allot(Sandbox("first")) == first


def test_a_network_that_this_machine_already_routes_is_left_alone(monkeypatch):
    taken = Addresses(1).network
    monkeypatch.setattr(addresses, "run", lambda *argv: "used" if argv[-1] == taken else "")
    assert allot(Sandbox("first")).network != taken


def test_a_bridge_that_somebody_else_made_is_left_alone(monkeypatch, tmp_path):
    (tmp_path / Addresses(1).bridge).mkdir()
    monkeypatch.setattr(addresses, "LINKS", tmp_path)
    assert allot(Sandbox("first")).bridge != Addresses(1).bridge


def test_when_all_networks_are_given_out_one_of_a_sandbox_that_is_gone_is_used_again(state):
    numbers = {f"s{number}": number for number in addresses.NUMBERS}
    (state / "addresses.json").write_text(json.dumps(numbers))
    for name in numbers:
        if name != "s7":
            Sandbox(name).state.mkdir(parents=True)
    assert allot(Sandbox("late")) == Addresses(7)
    Sandbox("late").state.mkdir(parents=True)
    with pytest.raises(SandboxError, match="in use"):
        allot(Sandbox("later"))


def test_the_links_of_every_sandbox_have_names_that_linux_takes():
    assert len(Addresses(254).bridge) <= 15


def test_a_lock_is_waited_for_and_says_so(tmp_path):
    lock = tmp_path / "locks" / "one"
    code = (
        "import sys; from pathlib import Path; from healthv1.sandbox.locks import locked\n"
        "with locked(Path(sys.argv[1])): print('held', flush=True); sys.stdin.read()"
    )
    argv = [sys.executable, "-c", code, str(lock)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout
        assert other.stdin
        other.stdout.readline()
        said: list[str] = []

        def release(sentence: str) -> None:
            said.append(sentence)
            other.stdin.close()

        with locked(lock, release):
            assert said
