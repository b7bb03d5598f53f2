"""The paths of a sandbox's files. All follow from its name, so that none is lost with a process."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from healthv1.errors import Fault, SandboxError


def state_root() -> Path:
    return Path(os.environ.get("HEALTHV1_STATE", "/var/lib/healthv1"))


def cache_root() -> Path:
    return Path(os.environ.get("HEALTHV1_CACHE", "/var/cache/healthv1"))


@dataclass(frozen=True)
class Sandbox:
    """A name, and the paths that follow from it. Sandboxes of different names run side by side."""

    name: str

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[a-z][a-z0-9-]{0,30}", self.name):
            what = "a sandbox's name is lower-case letters, digits and dashes, at most 31, a letter first."
            raise SandboxError(Fault(self.name, what))

    @classmethod
    def named(cls, name: str | None = None) -> Sandbox:
        return cls(name or os.environ.get("HEALTHV1_SANDBOX", "sandbox"))

    @property
    def state(self) -> Path:
        return state_root() / "sandboxes" / self.name

    @property
    def lock(self) -> Path:
        """Outside of the state, which goes away while the lock is held."""
        return state_root() / "locks" / self.name

    @property
    def description(self) -> Path:
        """Written last, when everything answers."""
        return self.state / "sandbox.json"

    @property
    def shape(self) -> Path:
        """Written first: what this sandbox was asked to be."""
        return self.state / "shape.json"

    @property
    def ssh_key(self) -> Path:
        return self.state / "ssh_key"

    @property
    def known_hosts(self) -> Path:
        return self.state / "known_hosts"

    @property
    def hosts(self) -> Path:
        return self.state / "hosts"

    @property
    def snapshots(self) -> Path:
        return self.state / "snapshots"

    def host(self, name: str) -> Path:
        return self.hosts / name

    def server(self, name: str) -> Path:
        return self.state / "servers" / name
