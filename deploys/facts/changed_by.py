"""The environments that changed a host, from its journals. A plan alone writes no `started` event."""

from __future__ import annotations

from pyinfra.api.facts import FactBase

from deploys.paths import FOLDER


class ChangedBy(FactBase[frozenset[str]]):
    """Their names."""

    default = frozenset

    def command(self) -> str:
        return f'grep -ls \'"event":"started"\' {FOLDER}/journal/*.jsonl || true'

    def process(self, output: list[str]) -> frozenset[str]:
        return frozenset(line.rpartition("/")[2].removesuffix(".jsonl") for line in output)
