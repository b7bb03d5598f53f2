"""Data keys lie in the database, wrapped under the master key: the API's own program renews them, on one host."""

from __future__ import annotations

from deploys import this_host
from deploys.api.commands import renew_data_keys
from deploys.stack import Stack
from healthv1.errors import Fault, HostError
from healthv1.hosts.pyinfra_names import Host
from healthv1.hosts.session import Session, run

NAME = "data_keys"
TIMEOUT = 24 * 3600  # seconds: every row is sealed anew


def renew(session: Session) -> str:
    """Return what was done, in the API's words. Raises `HostError` when it was not."""
    summaries: list[str] = []
    first = next((host for host in session.hosts if "api" in host.groups), None)

    def renew_on_first(host: Host) -> None:
        if host is not first:
            return
        succeeded, output = run(host, renew_data_keys(this_host.settings(Stack)), TIMEOUT)
        if not succeeded:
            what = f"The data keys were not renewed: {output.stderr or output.stdout}"
            raise HostError(Fault(host.name, what, "mend the cause and run the same command: it goes on from there"))
        summaries.append(output.stdout)

    session.on_each(renew_on_first)
    session.refuse_faults()
    return summaries[0] if summaries else ""
