"""Questions about one thing of many: whoever has several to ask may ask them at once."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

from pyinfra.api.command import StringCommand


class BatchedCommand(StringCommand, ABC):
    """A shell command about one thing.

    Every line that it prints begins with the thing and a tab: so it can tell of several, and be taken apart again.
    """

    def __init__(self, thing: str) -> None:
        self.subject = thing
        super().__init__(self.batch([self]))

    @classmethod
    @abstractmethod
    def batch(cls, commands: Sequence[Any]) -> str:
        """Return shell that tells of all of these, which are of this class."""
