"""One header of a request. Several are looked up for each, and Starlette's mapping is made anew each time."""

from starlette.types import Scope


def header(scope: Scope, name: bytes) -> str | None:
    """Return the first of that name, which is given in lower case."""
    for known, value in scope["headers"]:
        if known == name:
            return str(value, "latin-1")
    return None
