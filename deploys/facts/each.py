"""Fact commands about one subject each, which can be batched into one command."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

from pyinfra.api.command import StringCommand


class BatchedCommand(StringCommand, ABC):
    """A shell command about one subject.

    Every output line begins with the subject and a tab, so that the output of a batch can be split again.
    """

    def __init__(self, thing: str) -> None:
        self.subject = thing
        super().__init__(self.batch([self]))

    @classmethod
    @abstractmethod
    def batch(cls, commands: Sequence[Any]) -> str:
        """Return one shell command for all `commands`, which are of this class."""
