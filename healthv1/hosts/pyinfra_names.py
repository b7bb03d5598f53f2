"""What others than the hosts may know of pyinfra: what a deploy of its users is written with, and nothing else."""

from __future__ import annotations

from pyinfra.api.command import QuoteString, StringCommand
from pyinfra.api.facts import FactBase
from pyinfra.api.host import Host
from pyinfra.connectors.util import CommandOutput

__all__ = ["CommandOutput", "FactBase", "Host", "QuoteString", "StringCommand"]
