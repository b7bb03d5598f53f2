"""Text in pieces that can be folded until the whole is short enough."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field


@dataclass
class Piece:
    text: str
    instead: str = ""
    """What stands there once it is folded."""
    kind: str = ""
    inside: list[Piece] = field(default_factory=list)
    end: str = ""
    folded: bool = False

    def __str__(self) -> str:
        return self.instead if self.folded else self.text + "".join(map(str, self.inside)) + self.end

    @property
    def size(self) -> int:
        if self.folded:
            return len(self.instead)
        return len(self.text) + sum(piece.size for piece in self.inside) + len(self.end)

    def walk(self) -> Iterator[Piece]:
        """Yield itself and all that is shown inside of it."""
        yield self
        for piece in self.inside if not self.folded else ():
            yield from piece.walk()


def fold(pieces: list[Piece], kinds: Iterable[str], limit: int) -> None:
    """Fold pieces of the first kind, the largest first, then of the next, until all are within `limit` characters."""
    size = sum(piece.size for piece in pieces)
    for kind in kinds:
        ofkind = [part for piece in pieces for part in piece.walk() if part.kind == kind]
        for piece in sorted(ofkind, key=lambda part: part.size, reverse=True):
            if size <= limit:
                return
            saved = piece.size - len(piece.instead)
            piece.folded = saved > 0
            size -= max(saved, 0)
