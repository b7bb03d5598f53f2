"""Questions about one thing of many: whoever has several to ask may ask them at once."""

from __future__ import annotations

import shlex
from collections.abc import Iterable

from pyinfra.api.command import StringCommand


class Each(StringCommand):
    """A shell command that takes things as its arguments, asked about one.

    Every line that it prints begins with the thing it tells of, and a tab: so the answers can be told apart.
    """

    def __init__(self, command: str, thing: str) -> None:
        super().__init__(about(command, [thing]))
        self.command, self.thing = command, thing


def about(command: str, things: Iterable[str]) -> str:
    return f"{command} {' '.join(map(shlex.quote, things))}"
