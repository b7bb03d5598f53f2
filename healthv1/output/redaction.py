"""The last line of defence: every revealed value is redacted from all output.

The design does not need it: secrets travel only where operations made for them send them. It is there for the mistake.
"""

from __future__ import annotations

import base64
import json
import re
import shlex
from collections.abc import Iterable, Iterator
from typing import TextIO
from urllib.parse import quote, quote_plus

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
    return {
        value,
        *_base64(value.encode()),
        value.encode().hex(),
        quote(value, safe=""),
        quote(value),
        quote_plus(value),
        json.dumps(value)[1:-1],
        json.dumps(value, ensure_ascii=False)[1:-1],
        repr(value)[1:-1],
        shlex.quote(value).removeprefix("'").removesuffix("'"),
        value.replace("'", "''"),  # SQL
        value.replace('"', '""'),  # userlist.txt
        re.sub(r'([\\"$`])', r"\\\1", value),  # environment files
    }


def _base64(raw: bytes) -> Iterator[str]:
    """Yield what every base64 text that holds `raw` has in common, wherever in it `raw` begins."""
    for before in range(3):
        encoded = base64.b64encode(bytes(before) + raw).decode().rstrip("=")
        # The first and the last character also depend on what stands beside.
        part = encoded[(0, 2, 3)[before] : len(encoded) - ((len(raw) + before) % 3 > 0)]
        if len(part) >= SHORTEST:
            yield part
            yield part.translate(str.maketrans("+/", "-_"))


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
