"""Validation of the site's domain names, which go into a certificate, and of the API's folder."""

from __future__ import annotations

import re
from ipaddress import ip_address
from posixpath import normpath

import idna

from deploys.faults import Wrong

MAX_NAME, MAX_LABEL = 253, 63
"""RFC 1035, 2.3.4; without the dot of the root."""
_EXAMPLE_HINT = "give a name like api.example.com"
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
_TOP_LEVEL = re.compile(r"[a-z][a-z0-9-]*[a-z0-9]")


_PATH = re.compile(r"(/[A-Za-z0-9._-]+){2,}")
_SYSTEM_FOLDERS = (
    *("/bin", "/boot", "/dev", "/etc", "/lib", "/proc", "/run", "/sbin", "/sys", "/usr"),
    *("/tmp", "/var/tmp"),  # noqa: S108 - refused
)


def home(text: str) -> str:
    """Return `text` if it is safe in scripts and units, and outside the system's folders. Raises `Wrong`."""
    example_hint = "give a folder like /opt/health-v1"
    if not text.startswith("/"):
        raise Wrong("it is no absolute path", example_hint)
    if text != normpath(text):
        raise Wrong("it is another spelling of a path", f"write it as {normpath(text)}")
    if not _PATH.fullmatch(text):
        raise Wrong(
            "it is a folder of the system, or a character is in it that is no letter, digit, dot, _ or -", example_hint
        )
    if any(text.startswith(f"{folder}/") for folder in _SYSTEM_FOLDERS):
        raise Wrong("a folder there is the system's, or does not last", example_hint)
    return text


def domain(text: str) -> str:
    """Return `text` if it is a domain name. Raises `Wrong`, with the intended name if that can be derived."""
    if _is_address(text):
        raise Wrong("that is an IP address", "certificates need a name: give a domain that points to it")
    intended = _intended_name(text)
    if "*" in text:
        what = "a wildcard needs DNS validation, which is not done for you"
        raise Wrong(what, "name each host: the first as domain, the others in aliases")
    if what := _misspelling(text):
        raise Wrong(what, f"write it as {intended}" if not _name_fault(intended) else _EXAMPLE_HINT)
    if what := _name_fault(text):
        raise Wrong(what, _hint(text))
    return text


def _misspelling(text: str) -> str:
    """Return what is misspelt, empty if nothing is."""
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


def _intended_name(text: str) -> str:
    """Return the bare host name, in lower-case ASCII."""
    name = "".join(text.split())
    name = re.split(r"[/?#]", re.sub(r"^[^/]*//", "", name))[0].rpartition("@")[2]
    name = re.sub(r":\d*$", "", name).rstrip(".").lower()
    try:
        return name if name.isascii() else idna.encode(name, uts46=True).decode()
    except idna.IDNAError:
        return ""


def _name_fault(name: str) -> str:
    """Return why no certificate can contain the name, empty if one can."""
    labels = name.split(".")
    faults = {
        "it is empty": not name.strip("."),
        f"it has {len(name)} characters, and DNS allows {MAX_NAME}": len(name) > MAX_NAME,
        f"a part of it has more than {MAX_LABEL} characters": any(len(label) > MAX_LABEL for label in labels),
        "it has one part alone, for which no authority vouches": len(labels) == 1,
        "there is an underscore in it, and no certificate is issued for such a name": "_" in name,
        "two dots follow each other, or it begins with one": not all(labels),
        "a part of it has other characters than letters, digits and hyphens, or a hyphen at an end": not all(
            map(_LABEL.fullmatch, labels)
        ),
        "its last part is no domain's": not _TOP_LEVEL.fullmatch(labels[-1]),
    }
    return next((fault for fault, applies in faults.items() if applies), "")


def _hint(name: str) -> str:
    hyphenated = name.replace("_", "-")
    if "." not in name and not _name_fault(f"{name}.example.com"):
        return f"write all of it, like {name}.example.com"
    return (
        f"give the host a name without it, like {hyphenated}"
        if "_" in name and not _name_fault(hyphenated)
        else _EXAMPLE_HINT
    )


def _is_address(text: str) -> bool:
    address = re.sub(r"^\w+://", "", text.strip()).split("/")[0]
    bare = re.sub(r"^\[(.*)\](:\d+)?$|^([\d.]+):\d+$", r"\1\3", address)
    try:
        ip_address(bare)
    except ValueError:
        return False
    return True
