"""Names that people give: of the site, as a certificate can bear it, and of the API's folder. What is wrong is told."""

from __future__ import annotations

import re
from ipaddress import ip_address
from posixpath import normpath

import idna

from deploys.faults import Wrong

LONGEST, LONGEST_PART = 253, 63
"""RFC 1035, 2.3.4; without the dot of the root."""
_LIKE = "give a name like api.example.com"
_PART = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
_LAST = re.compile(r"[a-z][a-z0-9-]*[a-z0-9]")


_PATH = re.compile(r"(/[A-Za-z0-9._-]+){2,}")
_SYSTEMS = ("/bin", "/boot", "/dev", "/etc", "/lib", "/proc", "/run", "/sbin", "/sys", "/tmp", "/usr", "/var/tmp")  # noqa: S108 - refused


def home(text: str) -> str:
    """Return `text` if scripts and units can name it, and all of it can be ours. Raises `Wrong`."""
    like = "give a folder like /opt/health-v1"
    if not text.startswith("/"):
        raise Wrong("it is no absolute path", like)
    if text != normpath(text):
        raise Wrong("it is another spelling of a path", f"write it as {normpath(text)}")
    if not _PATH.fullmatch(text):
        raise Wrong("it is a folder of the system, or a character is in it that is no letter, digit, dot, _ or -", like)
    if any(text.startswith(f"{folder}/") for folder in _SYSTEMS):
        raise Wrong("a folder there is the system's, or does not last", like)
    return text


def domain(text: str) -> str:
    """Return `text` if it is such a name. Raises `Wrong` with the one that was meant, as far as that can be told."""
    if _is_address(text):
        raise Wrong("that is an IP address", "certificates need a name: give a domain that points to it")
    meant = _meant(text)
    if "*" in text:
        what = "a wildcard needs DNS validation, which is not done for you"
        raise Wrong(what, "name each host: the first as domain, the others in aliases")
    if what := _written_otherwise(text):
        raise Wrong(what, f"write it as {meant}" if not _unfit(meant) else _LIKE)
    if what := _unfit(text):
        raise Wrong(what, _way_out(text))
    return text


def _written_otherwise(text: str) -> str:
    """Say what makes it another spelling of a name; empty when nothing does."""
    if {"/", "?", "#", "@"} & set(text):
        return "that is the address of a page, not the name of a host"
    if any(character.isspace() for character in text):
        return "there is a space in it"
    if ":" in text:
        return "there is a port in it, and visitors come to 443"
    if not text.isascii():
        return "certificates and DNS spell it in ASCII"
    if text.endswith("."):
        return "it ends in a dot"
    return "it has capital letters" if text != text.lower() else ""


def _meant(text: str) -> str:
    """Return the name alone, in small letters and in ASCII."""
    alone = "".join(text.split())
    alone = re.split(r"[/?#]", re.sub(r"^[^/]*//", "", alone))[0].rpartition("@")[2]
    alone = re.sub(r":\d*$", "", alone).rstrip(".").lower()
    try:
        return alone if alone.isascii() else idna.encode(alone, uts46=True).decode()
    except idna.IDNAError:
        return ""


def _unfit(name: str) -> str:
    """Say why no certificate can bear it; empty when one can."""
    parts = name.split(".")
    wrong = {
        "it is empty": not name.strip("."),
        f"it has {len(name)} characters, and DNS allows {LONGEST}": len(name) > LONGEST,
        f"a part of it has more than {LONGEST_PART} characters": any(len(part) > LONGEST_PART for part in parts),
        "it has one part alone, for which no authority vouches": len(parts) == 1,
        "there is an underscore in it, and no certificate is issued for such a name": "_" in name,
        "two dots follow each other, or it begins with one": not all(parts),
        "a part of it has other characters than letters, digits and hyphens, or a hyphen at an end": not all(
            map(_PART.fullmatch, parts)
        ),
        "its last part is no domain's": not _LAST.fullmatch(parts[-1]),
    }
    return next((what for what, is_so in wrong.items() if is_so), "")


def _way_out(name: str) -> str:
    spelt = name.replace("_", "-")
    if "." not in name and not _unfit(f"{name}.example.com"):
        return f"write all of it, like {name}.example.com"
    return f"give the host a name without it, like {spelt}" if "_" in name and not _unfit(spelt) else _LIKE


def _is_address(text: str) -> bool:
    alone = re.sub(r"^\w+://", "", text.strip()).split("/")[0]
    bare = re.sub(r"^\[(.*)\](:\d+)?$|^([\d.]+):\d+$", r"\1\3", alone)
    try:
        ip_address(bare)
    except ValueError:
        return False
    return True
