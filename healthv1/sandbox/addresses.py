"""Each sandbox has an IPv4 and an IPv6 network of its own, allotted once per name and remembered after it is gone."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from healthv1.errors import Fault, SandboxError
from healthv1.sandbox.commands import run
from healthv1.sandbox.locks import locked
from healthv1.sandbox.place import Sandbox, state_root

NUMBERS = range(1, 255)
LINKS = Path("/sys/class/net")
S3_NAME = "s3.sandbox.test"
"""The gateway's name for the hosts' S3 clients: not every one of them takes an address in a certificate."""


@dataclass(frozen=True)
class Addresses:
    """The networks of one sandbox: 10.213.N.0/24, and a unique local /64 (RFC 4193)."""

    number: int

    @property
    def bridge(self) -> str:
        return f"hv1-{self.number}"

    @property
    def network(self) -> str:
        return f"10.213.{self.number}.0/24"

    @property
    def gateway(self) -> str:
        return f"10.213.{self.number}.1"

    @property
    def gateway6(self) -> str:
        return f"fd48:7631:5e1b:{self.number:x}::1"

    def host(self, position: int) -> str:
        """Return the address of the nth host, counted from 1."""
        return f"10.213.{self.number}.{10 + position}"

    def host6(self, position: int) -> str:
        return f"fd48:7631:5e1b:{self.number:x}::{10 + position}"


def allot(sandbox: Sandbox) -> Addresses:
    """Return this sandbox's networks, the same ones each time."""
    with locked(state_root() / "locks" / ".addresses"):
        numbers = _read()
        if sandbox.name not in numbers:
            numbers[sandbox.name] = _free(numbers)
            _write(numbers)
        return Addresses(numbers[sandbox.name])


def _free(numbers: dict[str, int]) -> int:
    for number in NUMBERS:
        if number not in numbers.values() and not _in_use(Addresses(number)):
            return number
    for name in list(numbers):
        if not Sandbox(name).state.exists():
            return numbers.pop(name)
    what = f"all {len(NUMBERS)} networks are in use."
    raise SandboxError(Fault(str(state_root()), what, "stop a sandbox: healthv1 sandbox down"))


def _in_use(addresses: Addresses) -> bool:
    """Whether somebody else has the network or the bridge's name: what is not ours would go with the sandbox."""
    return (LINKS / addresses.bridge).exists() or bool(run("ip", "route", "show", addresses.network).strip())


def _read() -> dict[str, int]:
    path = state_root() / "addresses.json"
    numbers: dict[str, int] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return numbers


def _write(numbers: dict[str, int]) -> None:
    path = state_root() / "addresses.json"
    new = path.with_suffix(".new")
    new.write_text(json.dumps(numbers, indent=2), encoding="utf-8")
    new.replace(path)
