"""The last line of defence: every value that was ever revealed is blotted out of whatever is printed.

The design does not need it: secrets travel only where operations made for them send them. It is there for the mistake.
"""

from __future__ import annotations

import base64
import json
import shlex
from typing import IO, Any
from urllib.parse import quote

SHORTEST = 8  # characters; a shorter value would blot out ordinary words
BLOT = "[redacted]"


class Redactor:
    """Knows values, and finds them in the forms that programs print them in."""

    def __init__(self) -> None:
        self._forms: set[str] = set()

    def add(self, value: str) -> None:
        if len(value) >= SHORTEST:
            self._forms.update(form for form in _forms(value) if len(form) >= SHORTEST)

    def redact(self, text: str) -> str:
        # The longest first: a form may contain another.
        for form in sorted(self._forms, key=len, reverse=True):
            text = text.replace(form, BLOT)
        return text


def _forms(value: str) -> set[str]:
    encoded = base64.b64encode(value.encode()).decode()
    return {
        value,
        encoded,
        encoded.rstrip("="),
        base64.urlsafe_b64encode(value.encode()).decode().rstrip("="),
        quote(value, safe=""),
        quote(value),
        json.dumps(value)[1:-1],
        repr(value)[1:-1],
        shlex.quote(value),
    }


redactor = Redactor()
"""The one of this process: secrets backends add to it whatever they reveal."""


class RedactingStream:
    """A text stream that writes nothing the redactor knows."""

    def __init__(self, stream: IO[str], using: Redactor) -> None:
        self._stream = stream
        self._redactor = using

    def write(self, text: str) -> int:
        return self._stream.write(self._redactor.redact(text))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
