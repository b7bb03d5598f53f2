"""A host's record of the last apply: the applied plans, and keyed digests of the result."""

from __future__ import annotations

import json
from typing import Any

from pyinfra.api.facts import FactBase

from deploys.paths import RECORD


class Record(FactBase[dict[str, Any]]):
    """The document; empty if it is missing or unreadable."""

    default = dict

    def command(self) -> str:
        return f"cat {RECORD} 2>/dev/null || true"

    def process(self, output: list[str]) -> dict[str, Any]:
        try:
            document = json.loads("\n".join(output))
        except ValueError:
            return {}
        return document if isinstance(document, dict) else {}
