"""An entry of files kept aside: their time, their paths, and the present state of each path."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from healthv1.errors import Fault, Refused

WORDS = {
    "same": "as it was kept, nothing to do",
    "different": "another lies there, and is kept aside first",
    "missing": "nothing lies there",
}


@dataclass(frozen=True)
class KeptAside:
    id: str
    thing: str
    """As a plan named it: "file /etc/nginx/nginx.conf"."""
    at: str
    """When, in UTC."""
    size: int
    """Bytes."""
    paths: tuple[str, ...] = ()
    states: tuple[str, ...] = ()
    """The present state of each path: same, different or missing. Empty unless inspected."""
    then: str = ""
    """Shell that runs after the files are put back. Empty unless inspected."""
    begun: bool = False
    """A put-back of it began, and did not end."""

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @property
    def due(self) -> tuple[str, ...]:
        """Return the paths that are not as they were kept."""
        return tuple(path for path, state in zip(self.paths, self.states, strict=True) if state != "same")

    @property
    def nothing_due(self) -> bool:
        return not self.due and not self.begun and not self.does_something

    @property
    def does_something(self) -> bool:
        """Whether more is to be put back than files."""
        return self.then.strip() not in ("", ":")


def read(lines: Iterable[str]) -> list[KeptAside]:
    """Return what a host listed, the newest first."""
    records: list[dict[str, list[str]]] = []
    for name, _, value in (line.partition("=") for line in lines):
        if name == "id":
            records.append({})
        if records:
            records[-1].setdefault(name, []).append(value)
    entries = [_entry(record) for record in records]
    return sorted(entries, key=lambda entry: (entry.at, entry.id), reverse=True)


def _entry(fields: Mapping[str, list[str]]) -> KeptAside:
    def first(name: str) -> str:
        return fields.get(name, [""])[0]

    return KeptAside(
        id=first("id"),
        thing=first("thing"),
        at=first("at"),
        size=int(first("size")) if first("size").isdigit() else 0,
        paths=tuple(fields.get("path", ())),
        states=tuple(fields.get("state", ())),
        then="\n".join(fields.get("then", ())),
        begun="begun" in fields,
    )


def choose(environment: str, name: str, host: str, kept: Mapping[str, list[KeptAside]]) -> tuple[str, KeptAside]:
    """Return the entry and the host that has it. Raises `Refused`, naming what there is."""
    if host and host not in kept:
        raise Refused(Fault(f"--host {host}", "No host of that name answered.", f"hosts: {', '.join(kept)}"))
    having = {
        at: entry for at, entries in kept.items() for entry in entries if entry.id == name and (not host or at == host)
    }
    if len(having) == 1:
        return next(iter(having.items()))
    if having:
        names = " or ".join(f"--host {at}" for at in having)
        raise Refused(Fault(name, "More than one host has an entry of that name.", f"give {names}"))
    entries_text = ", ".join(f"{entry.id} ({at}: {entry.thing})" for at, entries in kept.items() for entry in entries)
    where = f" on {host}" if host else ""
    hint = (
        f"there are: {entries_text}; healthv1 before list {environment}"
        if entries_text
        else "nothing is kept aside there"
    )
    raise Refused(Fault(name, f"Nothing of that name is kept aside{where}.", hint))


def lines(host: str, kept: Iterable[KeptAside]) -> Iterator[str]:
    """Yield the lines of one host's entries, for a terminal."""
    kept = list(kept)
    yield host if kept else f"{host}: nothing is kept aside"
    for entry in kept:
        unfinished = "  (putting it back did not end)" if entry.begun else ""
        yield f"  {entry.id}  {entry.thing}  {entry.at}  {readable_size(entry.size)}{unfinished}"
        yield from (f"      {path}" for path in entry.paths)


def preview(host: str, entry: KeptAside) -> Iterator[str]:
    """Yield the effects of a put-back, for a terminal."""
    yield f"{host}: {entry.id}  {entry.thing}, as it was at {entry.at}"
    for path, state in zip(entry.paths, entry.states, strict=True):
        yield f"  {path}: {WORDS[state]}"
    if entry.does_something:
        yield "  then, as root:"
        yield from (f"      {line}" for line in entry.then.splitlines())


def readable_size(size: int) -> str:
    amount = float(size)
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if amount < 1024 or unit == "GiB":
            break
        amount /= 1024
    return f"{amount:.0f} {unit}" if unit == "bytes" else f"{amount:.1f} {unit}"
