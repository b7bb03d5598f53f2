r"""Environment files as our deploys write them: NAME=value, 'value', or "value" with a backslash before \ " $ and `."""

import re
from collections.abc import Iterator

LINE = re.compile(r"""([A-Za-z_]\w*)=(?:'([^']*)'|"((?:[^"\\]|\\[\\"$`])*)"|([^'"\s\\$`]*))""")
ESCAPED = re.compile(r"\\([\\\"$`])")


def variables(text: str) -> Iterator[tuple[str, str]]:
    """Raises ValueError, with the number of the line and nothing of what it holds."""
    # Not splitlines(): a value may hold what Unicode calls a line's end.
    for number, line in enumerate(text.split("\n"), 1):
        if not line or line.startswith("#"):
            continue
        match = LINE.fullmatch(line)
        if match is None:
            raise ValueError(number)
        name, literal, quoted, plain = match.groups()
        yield name, next(text for text in (literal, quoted and ESCAPED.sub(r"\1", quoted), plain) if text is not None)
