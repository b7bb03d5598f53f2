"""The last line of defence: every value that was ever revealed is blotted out of whatever is printed.

The design does not need it: secrets travel only where operations made for them send them. It is there for the mistake.
"""

from __future__ import annotations

import base64
import json
import shlex
from collections.abc import Iterable
from typing import TextIO
from urllib.parse import quote

SHORTEST = 8  # characters; a shorter value would blot out ordinary words
BLOT = "[redacted]"


class Redactor:
    """Knows values, and finds them in the forms that programs print them in."""

    def __init__(self) -> None:
        self._forms: set[str] = set()

    def add(self, value: str) -> None:
        if len(value) >= SHORTEST:
            self._forms.update(_forms(value))

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
        encoded.rstrip("=").translate(str.maketrans("+/", "-_")),
        quote(value, safe=""),
        quote(value),
        json.dumps(value)[1:-1],
        json.dumps(value, ensure_ascii=False)[1:-1],
        repr(value)[1:-1],
        shlex.quote(value).removeprefix("'").removesuffix("'"),
    }


redactor = Redactor()
"""The one of this process: secrets backends add to it whatever they reveal."""


class RedactingStream:
    """A text stream that writes nothing the redactor knows.

    It has no `buffer`: whoever writes bytes past it would write them unread.
    """

    def __init__(self, stream: TextIO, using: Redactor) -> None:
        self._stream = stream
        self._redactor = using

    @property
    def encoding(self) -> str:
        return self._stream.encoding

    @property
    def errors(self) -> str | None:
        return self._stream.errors

    @property
    def closed(self) -> bool:
        return self._stream.closed

    def write(self, text: str) -> int:
        self._stream.write(self._redactor.redact(text))
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        self._stream.flush()

    def isatty(self) -> bool:
        return self._stream.isatty()

    def fileno(self) -> int:
        return self._stream.fileno()
