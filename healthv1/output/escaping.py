"""Escapes foreign text for a terminal: it cannot send control sequences."""

from __future__ import annotations

import unicodedata


def readable(text: str) -> str:
    """Return one line with control and direction characters escaped."""
    if text.isprintable():  # most are: neither controls, nor what turns the direction, nor half characters
        return text
    return "".join(character if _is_plain(character) else _escaped(character) for character in text)


def readable_lines(text: str) -> str:
    """Return the same of each line."""
    return "\n".join(readable(line) for line in text.split("\n"))


def _is_plain(character: str) -> bool:
    return character == "\t" or unicodedata.category(character) not in {"Cc", "Cf", "Cs", "Zl", "Zp"}


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode()
