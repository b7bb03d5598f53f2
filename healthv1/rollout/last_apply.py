"""The record of the last apply on each host: by it drift tells changes on the host from those in the repository."""

from __future__ import annotations

import json
import shlex
from datetime import datetime, timezone
from typing import Any

from deploys.operations.forecast import reset_forecast
from deploys.paths import FOLDER, RECORD
from healthv1.errors import HostError
from healthv1.hosts.pyinfra_names import Host, QuoteString, StringCommand
from healthv1.hosts.scripts import run_script, ssh_hosts
from healthv1.hosts.session import Session
from healthv1.lock.acquire import run_concurrently
from healthv1.plan.digests import Digests
from healthv1.plan.snapshot import Snapshot
from healthv1.rollout import membership
from healthv1.rollout.planner import refresh_facts
from healthv1.rollout.snapshots import take_snapshots
from healthv1.workspace import provenance

PLANS = 100  # saved plans that a host remembers; older ones have expired
SCHEMA = 1
TIMEOUT = 20.0  # seconds
_WRITE = f"""set -eu; umask 077
[ -d {FOLDER} ] || install -d -m 0700 {FOLDER}
new=$(mktemp {RECORD}.XXXXXXXX); trap 'rm -f "$new"' EXIT; cat > "$new"; mv -fT "$new" {RECORD}"""


def record_apply(session: Session, digests: Digests, plan_id: str = "", *, changed: bool) -> None:
    """Write each host's record: digests of operations and answers, and the members. Not where nothing is new.

    + changed: operations ran, so the facts have to be asked again.
    """
    if changed:
        for host in session.hosts:
            reset_forecast(host)
        refresh_facts(session, anew=False)
    snapshots = take_snapshots(session, digests)

    def write(host: Host) -> None:
        record = session.records.get(host.name, {})
        digests_of_host = _snapshot_digests([snapshot for snapshot in snapshots if snapshot.host == host.name], digests)
        document = digests_of_host | _membership(session)
        if not plan_id and not changed and all(record.get(name) == value for name, value in document.items()):
            return
        arguments = {"_sudo": True, "_timeout": 60, "_stdin": json.dumps(_with_provenance(document, record, plan_id))}
        done, output = host.run_shell_command(StringCommand("sh", "-c", QuoteString(_WRITE)), **arguments)
        if not done:
            raise RuntimeError(f"what was applied could not be noted: {'; '.join(output.stderr_lines)}")

    session.on_each(write)


def record_members(session: Session) -> None:
    """Write the members of the environment to each host, before any change. Raises `HostError` if one cannot.

    So a host whose first apply fails is not forgotten. Where nothing is new, nothing is written.
    """
    due = _membership(session)

    def write(host: Host) -> HostError | None:
        record = session.records.get(host.name, {})
        if all(record.get(name) == value for name, value in due.items()):
            return None
        return store_record(host, session, {"schema": SCHEMA, **record, **due})

    HostError.unless(
        fault for error in run_concurrently(ssh_hosts(session.hosts), write).values() if error for fault in error.faults
    )


def store_record(host: Host, session: Session, record: dict[str, Any]) -> HostError | None:
    """Write `record` to a host, outside of pyinfra; return the error when it fails."""
    try:
        run_script(host, f"printf %s {shlex.quote(json.dumps(record))} | sh -c {shlex.quote(_WRITE)}", TIMEOUT)
    except HostError as error:
        return error
    session.records[host.name] = record
    return None


def _membership(session: Session) -> dict[str, Any]:
    return {
        "environment": session.environment,
        "members": [member.as_json() for member in membership.known_members(session)],
    }


def _snapshot_digests(snapshots: list[Snapshot], digests: Digests) -> dict[str, Any]:
    desired = {snapshot.name: snapshot.desired for snapshot in snapshots}
    return {
        "schema": SCHEMA,
        "key": digests.name,
        "desired": desired,
        "asked": {snapshot.name: snapshot.asked for snapshot in snapshots},
    }


def _with_provenance(document: dict[str, Any], record: dict[str, Any], plan_id: str) -> dict[str, Any]:
    provenance_of_apply = {"at": datetime.now(timezone.utc).isoformat(timespec="seconds"), "by": provenance.name()}
    plans = [*record.get("plans", ()), *([{"id": plan_id, **provenance_of_apply}] if plan_id else ())]
    kept = {name: record[name] for name in ("retired",) if name in record}
    return {**kept, **document, **provenance_of_apply, "revision": provenance.revision(), "plans": plans[-PLANS:]}
