"""pyinfra's names for modules outside of healthv1.hosts: only those that deploys are written with."""

from __future__ import annotations

from pyinfra.api.command import QuoteString, StringCommand
from pyinfra.api.facts import FactBase
from pyinfra.api.host import Host
from pyinfra.connectors.util import CommandOutput

__all__ = ["CommandOutput", "FactBase", "Host", "QuoteString", "StringCommand"]
