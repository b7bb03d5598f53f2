"""The text of a secrets file: its own key, then one block for each secret, sorted by name.

Every block is an age file of its own, which keeps its bytes while others change: git merges what two people did to
different secrets. The names are in clear; names are no secrets.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from typing_extensions import Self

from healthv1.secrets.age import BEGIN, END

FORMAT = 1
TITLE = "# healthv1 secrets, format "
ABOUT = "Each block is an age file: docs/secrets.md tells how to read it by hand."
LAST = "# end"
_HEAD = re.compile(r"\[(key|secret ([A-Za-z0-9_.-]+))\]")
_CONFLICT = ("<<<<<<< ", "|||||||", "=======", ">>>>>>> ")
NAME = re.compile(r"[A-Za-z0-9_.-]+")


class MalformedError(ValueError):
    """Line `line` is wrong, for a reason that quotes no line."""

    def __init__(self, line: int, what: str, hint: str) -> None:
        super().__init__(what)
        self.line, self.what, self.hint = line, what, hint


@dataclass(frozen=True)
class SecretsDocument:
    key: str
    """The file's private key, itself encrypted: to the people's keys, or with a passphrase."""
    blocks: Mapping[str, str]
    """Each secret's age file by name, encrypted to the file's key."""

    def with_block(self, name: str, block: str) -> Self:
        return replace(self, blocks={**self.blocks, name: block})

    def text(self) -> str:
        secrets = (f"[secret {name}]\n{block}\n" for name, block in sorted(self.blocks.items()))
        return "\n".join((f"{TITLE}{FORMAT}. {ABOUT}\n", f"[key]\n{self.key}\n", *secrets, f"{LAST}\n"))

    @classmethod
    def parsed(cls, text: str) -> Self:
        """Raises `MalformedError`."""
        lines = text.splitlines()
        _refuse_other_formats(lines)
        _refuse_conflicts(lines)
        blocks: dict[str, str] = {}
        for line, head, block in _blocks(lines):
            if head in blocks:
                raise MalformedError(line, "That block stands there twice.", "delete one of the two, and run again")
            blocks[head] = block
        if "key" not in blocks:
            raise MalformedError(1, "The file's key is missing.", _restore())
        key = blocks.pop("key")
        return cls(key, {head.removeprefix("secret "): block for head, block in blocks.items()})


def _refuse_other_formats(lines: list[str]) -> None:
    if not lines or not lines[0].startswith(TITLE):
        raise MalformedError(1, "It is no secrets file of ours.", "choose another path, or move that file away")
    format_number = re.match(r"(\d+)\.", lines[0].removeprefix(TITLE))
    if not format_number or int(format_number[1]) != FORMAT:
        raise MalformedError(1, f"Its format is not {FORMAT}, the one that we know.", "update healthv1")


def _refuse_conflicts(lines: list[str]) -> None:
    for number, line in enumerate(lines, 1):
        if line.startswith(_CONFLICT):
            what = "It has conflict markers of git: two people changed the same place."
            hint = "keep each secret's block whole, from one side where both changed it, and delete the markers"
            raise MalformedError(number, what, hint)


def _blocks(lines: list[str]) -> Iterator[tuple[int, str, str]]:
    """Yield each block's line, head and age file."""
    rest = [(number, line.rstrip()) for number, line in enumerate(lines, 1) if line.strip()][1:]
    if not rest or rest.pop()[1] != LAST:
        raise MalformedError(len(lines), "Its end is missing: it was cut off.", _restore())
    while rest:
        number, line = rest.pop(0)
        head = _HEAD.fullmatch(line)
        if not head:
            raise MalformedError(number, "No block can begin like that.", _restore())
        yield number, head[1], _armor(number, rest)


def _armor(number: int, rest: list[tuple[int, str]]) -> str:
    taken: list[str] = []
    while rest and not _HEAD.fullmatch(rest[0][1]):
        taken.append(rest.pop(0)[1])
        if taken[-1] == END:
            break
    if not taken or (taken[0], taken[-1]) != (BEGIN, END):
        raise MalformedError(number, "That block is not whole.", _restore())
    return "\n".join(taken)


def _restore() -> str:
    return "bring back what was committed last: git checkout -- the file, or an older commit's"
