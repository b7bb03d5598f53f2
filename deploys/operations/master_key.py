"""What was encrypted under one master key is never left behind another: refused while a plan is made."""

from __future__ import annotations

from pyinfra.api.operation import operation
from pyinfra.context import host

from deploys.cluster import Cluster
from deploys.component import Secret
from deploys.credentials.master_key import fingerprints
from deploys.facts.master_key import ConfiguredMasterKeys, StoredMasterKeys
from deploys.faults import Fault, Refused
from deploys.operations.change import Commands

RESTORE = "bring it back from escrow: healthv1 secrets restore ENV FILE --identity KEY"


@operation()
def refuse_wrong_master_key(cluster: Cluster, database: str, master_key: Secret) -> Commands:
    """Refuse a master key that does not open the stored data keys. A database that is down cannot tell."""
    stored = {row["master"] for row in host.get_fact(StoredMasterKeys, cluster=cluster, database=database).rows}
    missing = master_key.is_missing()
    if stored and missing:
        _refuse(master_key, "Its database holds encrypted data, and the key that opens them is not in the backend.")
    if not missing and not stored <= set(fingerprints(master_key)):
        _refuse(master_key, "Its database holds data that are encrypted under another key than the backend's.")
    host.noop("the master key opens what is stored" if stored else "nothing is known to be encrypted")
    yield from ()


@operation()
def refuse_lost_master_key(path: str, master_key: Secret) -> Commands:
    """Refuse to generate a master key for a host that has one."""
    if master_key.is_missing() and host.get_fact(ConfiguredMasterKeys, path=path):
        _refuse(master_key, f"{path} holds a master key, and the backend does not.")
    host.noop("the backend holds the master key, or nobody does")
    yield from ()


def _refuse(master_key: Secret, what: str) -> None:
    raise Refused(Fault(f"{host.name}, {master_key}", what, RESTORE))
