"""A fault tells the user what is wrong with their input: where, what, and one action."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Fault:
    where: str
    """A file, host, reference or command, as the user would name it."""
    what: str
    """One sentence, ending in a full stop."""
    hint: str = ""
    """One action, in lower case, without a full stop: the end of a command is copied with it."""

    def __str__(self) -> str:
        text = f"{self.where}: {self.what}" if self.where else self.what
        return f"{text}\nHint:  {self.hint}" if self.hint else text


class Wrong(ValueError):  # noqa: N818 - it reads as what is said of a value
    """An invalid value of a setting, with one action."""

    def __init__(self, what: str, hint: str) -> None:
        super().__init__(what)
        self.hint = hint


class Refused(Exception):  # noqa: N818 - it reads as what happened
    """Something was refused before it could do harm. Carries every fault, not only the first."""

    def __init__(self, *faults: Fault) -> None:
        self.faults = tuple(dict.fromkeys(faults))  # the same fault on several hosts is reported once
        super().__init__("\n".join(str(fault) for fault in self.faults))

    @classmethod
    def unless(cls, faults: Iterable[Fault]) -> None:
        """Raise with all `faults`, or return when there are none."""
        raised = tuple(faults)
        if raised:
            raise cls(*raised)
