"""What a token must be granted, and nothing beside it: one policy for each kind of work."""

from __future__ import annotations

from pathlib import Path
from string import Template

from healthv1.errors import Fault, SecretsError

NAMES = ("deploy", "rotate", "read")


def text(name: str, mount: str, path: str) -> str:
    """Return the policy `name` for the secrets `mount`/`path`. Raises `SecretsError` when there is none."""
    if name not in NAMES:
        raise SecretsError(Fault(name, "There is no policy of that name.", f"known: {', '.join(NAMES)}"))
    template = Template((Path(__file__).parent / f"{name}.hcl").read_text(encoding="utf-8"))
    return template.substitute(mount=mount, path=path)
