"""Which host keeps the backups, and which one makes them: by the inventory, and refused where that is unclear."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from deploys.backup.settings import Backup
from deploys.faults import Fault, Refused
from deploys.tls import Peer

GROUP = "repository"
CLIENT = "backup"
"""The common name of a database's host, where it speaks to the repository, is backup.HOST."""
SERVER = "repository"


def located(settings: Backup, peers: Callable[[str], Sequence[Peer]], *, pki: bool, shared: bool) -> Backup:
    """Return the settings with the address of the host that keeps backups. Raises `Refused` with every fault.

    + peers: returns the hosts in a group of the inventory.
    + pki: whether hosts trust an authority of ours.
    + shared: whether the hosts of both groups have the same settings.
    """
    if settings.other_host is None:
        return settings
    repository, database = peers(GROUP), peers("database")
    Refused.unless(_faults(repository, database, pki=pki, shared=shared))
    return settings.reached_at(repository[0].address)


def _faults(repository: Sequence[Peer], database: Sequence[Peer], *, pki: bool, shared: bool) -> Iterator[Fault]:
    where = f"inventory: {GROUP}"
    names = [peer.identity.name for peer in repository]
    databases = [peer.identity.name for peer in database]
    if not names:
        what = "backup is to be on another host (RepositoryHost), and no host is in this group."
        yield Fault(where, what, f'add one: {GROUP} = ["backup1.example.com"]')
    if len(names) > 1:
        yield Fault(where, f"{' and '.join(names)} are in this group: one host keeps the backups.", "leave one there")
    for name in sorted({*names} & {*databases}):
        what = f"{name} has the database: what is on its disk is lost with it."
        yield Fault(where, what, "put another host there, or set backup = Backup(repository=Directory(…))")
    if len(databases) > 1:
        what = f"{' and '.join(databases)} have databases, and one is let in to the repository on another host."
        yield Fault("inventory: database", what, "give the others an inventory of their own")
    if not pki:
        what = "pki is missing: a host and its repository prove to each other who they are."
        yield Fault("group_data", what, "add: pki = Pki(); docs/pki.md")
    if not shared:
        what = "The database's host and the repository's have different settings of backup."
        yield Fault("group_data", what, "set backup in group_data/all.py, for both")
