"""Whom a limit counts as one visitor: an IPv4 address, or a whole network of IPv6, of which one person has many.

The network stands in the text that nginx has of an address (RFC 5952), so it is told by regular expressions.
"""

from __future__ import annotations

from collections.abc import Iterator

_GROUP = "[0-9a-f]{1,4}"
GROUPS_BY_LENGTH = {48: 3, 64: 4}
"""By the length of a network its groups of four digits."""


def network_patterns(length: int) -> Iterator[tuple[str, str]]:
    """Yield regular expressions for addresses as nginx writes them, each with the network as fail2ban reads it.

    The first that matches counts. Captures are named: those that are numbered belong to the last one that ran.
    """
    size = GROUPS_BY_LENGTH[length]
    yield r"^::ffff:(?<health_v4>[0-9.]+)$", "$health_v4"
    yield f"^{_capture(size)}:", _network_text(size, size, 0)
    # "::" stands for the longest row of zeros, at least two groups. What follows it may begin inside of the network.
    for before in range(size - 1, -1, -1):
        head = f"^{_capture(before)}::"
        for inside in range(size - before - 2, 0, -1):
            yield f"{head}{_capture(inside, 'i')}(?::{_GROUP}){{{8 - size}}}$", _network_text(size, before, inside)
        yield head, _network_text(size, before, 0)


def _capture(groups: int, name: str = "g") -> str:
    return ":".join(f"(?<health_{name}{number}>{_GROUP})" for number in range(groups))


def _network_text(size: int, before: int, inside: int) -> str:
    """Return the network of `size` groups: some from before the zeros, the zeros, and some from behind them."""
    groups = [f"$health_g{number}" for number in range(before)]
    groups += ["0"] * (size - before - inside) if before < size else []
    groups += [f"$health_i{number}" for number in range(inside)]
    return f"{':'.join(groups)}::/{size * 16}"
