"""A secrets backend whose values are known: each secret's own, and awkward for whoever quotes wrongly."""

from dataclasses import dataclass

from deploys.secret import Version

AWKWARD = "/+=$#\"'\\ `~!%&|;<>(){}[]*?\t\x01\x7fäü\u2028 "


@dataclass
class Known:
    numbers: tuple[int, ...] = (1,)
    """The versions that are accepted, the active one first."""

    def versions(self, secret):
        return tuple(Version(number, value(secret.key, number)) for number in self.numbers)

    def __str__(self):
        return "vault:m/p"


def value(key, number=1):
    return f"{key}{number}{AWKWARD}"
