"""What a host keeps of the last apply: which plans were applied, and keyed digests of what it was made."""

from __future__ import annotations

import json
from typing import Any

from pyinfra.api.facts import FactBase

from deploys.paths import RECORD


class Record(FactBase[dict[str, Any]]):
    """The document; empty when there is none, or none that can be read."""

    default = dict

    def command(self) -> str:
        return f"cat {RECORD} 2>/dev/null || true"

    def process(self, output: list[str]) -> dict[str, Any]:
        try:
            document = json.loads("\n".join(output))
        except ValueError:
            return {}
        return document if isinstance(document, dict) else {}
