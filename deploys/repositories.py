"""Unreadable apt repositories: skipped and reported. A package that is only in such a repository is refused."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from deploys.apt_simulation import Simulation
from deploys.foreign import Foreign


@dataclass(frozen=True)
class UnreadRepository:
    """A repository that apt cannot read: it is gone, or its key is missing."""

    name: str
    """Its address and suite, as apt writes them: "https://packages.example.com/apt stable"."""
    reason: str
    """apt's message, without the final full stop."""
    entry: str = ""
    """The file that lists it, a colon, and the line or stanza number."""

    def __str__(self) -> str:
        return f"{self.name} cannot be read ({self.reason})"

    @property
    def way_out(self) -> str:
        file, _, place = self.entry.rpartition(":")
        if not file:
            return "let the host read it, or take it out of /etc/apt"
        if file.endswith(".list"):
            return f"let the host read it, or take it out: sed -i '{place} s/^/# /' {file}"
        return f"let the host read it, or switch off what {file} lists: sed -i 's/^Types:/Enabled: no\\n&/' {file}"


@dataclass(frozen=True)
class Repositories:
    unread: tuple[UnreadRepository, ...] = ()
    unlisted: str = ""
    """Why apt can read no repository at all: a syntax error in a sources file."""


def describe_unread(unread: Iterable[UnreadRepository]) -> str:
    """Return the note for the plan, empty without such repositories."""
    names = "; ".join(map(str, unread))
    return f"not asked for packages: {names}" if names else ""


def missing_package_conflicts(
    simulation: Simulation, names: Iterable[str], repositories: Repositories
) -> Iterator[Foreign]:
    """Yield the packages that are only in unreadable repositories, by repository."""
    if repositories.unlisted:
        yield Foreign(
            "apt", f"It says: {repositories.unlisted}.", "It installs nothing until that is mended.", "mend that file"
        )
        return
    unread_by_name = {repository.name: repository for repository in repositories.unread}
    wanted_packages = {repository.name for repository in simulation.installed} or set(names)
    needed: dict[str, list[str]] = {}
    for name in sorted(wanted_packages):
        sources = {_without_component(source) for source in simulation.sources.get(name, ())}
        if sources and sources <= unread_by_name.keys():
            needed.setdefault(min(sources), []).append(name)
    for source, package_names in needed.items():
        what = f"apt cannot read it: {unread_by_name[source].reason}."
        consequence = f"{', '.join(package_names)} would come from there alone."
        yield Foreign(f"repository {source}", what, consequence, unread_by_name[source].way_out)


def _without_component(source: str) -> str:
    """Return "http://… stable" for "http://… stable/main"."""
    address, _, suite = source.partition(" ")
    return f"{address} {suite if suite.startswith('.') or suite == '/' else suite.rpartition('/')[0] or suite}"


def parse_repositories(lines: Iterable[str]) -> Repositories:
    """Return what `UNREAD` of `deploys/apt.py` prints."""
    rows = [line.removeprefix("now=").split("\t") for line in lines]
    unread = [
        UnreadRepository(name, reason.rstrip(". "), entry) for kind, name, reason, entry in rows if kind == "unread"
    ]
    unlisted = [reason.rstrip(". ") for kind, _, reason, _ in rows if kind == "unlisted"]
    return Repositories(tuple(dict.fromkeys(unread)), "; ".join(unlisted))
