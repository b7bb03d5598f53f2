"""What a password must be where one is set. Who logs in with an older one is not asked."""

import sys
from functools import lru_cache
from importlib.machinery import PathFinder
from importlib.util import module_from_spec
from typing import Annotated

from pydantic import Field, SecretStr

LEAST = 12  # characters
MOST_COMMON = 10_000
NewSecret = Annotated[SecretStr, Field(min_length=LEAST, max_length=1024)]


def fault(password: str, username: str) -> str | None:
    """Return what is wrong with it, without repeating it."""
    if len(password) < LEAST:
        return f"Must have at least {LEAST} characters"
    if password.casefold() == username.casefold():
        return "Must not be the username"
    if password.casefold() in common():
        return f"Must not be among the {MOST_COMMON:,} most common passwords"
    return None


@lru_cache
def common() -> frozenset[str]:
    """Those that are long enough, by how often they were found in leaks (zxcvbn's list)."""
    # The list alone, and not for long: the package makes 20 MB of dictionaries of this and others.
    package = PathFinder.find_spec("zxcvbn", sys.path)
    assert package
    found = PathFinder.find_spec("frequency_lists", package.submodule_search_locations)
    assert found
    assert found.loader
    lists = module_from_spec(found)
    found.loader.exec_module(lists)
    ranked: list[str] = lists.FREQUENCY_LISTS["passwords"]
    return frozenset(word.casefold() for word in ranked[:MOST_COMMON] if len(word) >= LEAST)
