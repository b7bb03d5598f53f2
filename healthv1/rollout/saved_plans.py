"""Saved plans: sealed with the plan key, with digests of the hosts' settings and answers, and refused when stale."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from deploys.component import Settings
from deploys.rollout import Rollout
from healthv1.errors import Fault, Refused
from healthv1.hosts.known_names import OWN
from healthv1.hosts.pyinfra_names import Host
from healthv1.hosts.secrets_in_use import inventory_of
from healthv1.hosts.session import Session
from healthv1.plan import Plan
from healthv1.plan.digests import Digests, canonical_unrevealed
from healthv1.plan.redacting import redacted
from healthv1.plan.saved import Saved, clock, now, read
from healthv1.plan.snapshot import moved_faults
from healthv1.rollout import losses
from healthv1.rollout.snapshots import take_snapshots
from healthv1.secrets.rehearsal import Rehearsal

SHOWN = 20  # faults at most; the rest are counted
ADDRESS = ("ssh_hostname", "ssh_port", "ssh_user", "private_address")


def _digests_of(environment: str) -> Digests:
    """Return the digests under an environment's plan key. Raises `Refused` when the key cannot be read."""
    with inventory_of(environment) as inventory:
        return _digests(next(iter(inventory)), environment)


def digests(session: Session) -> Digests:
    return _digests(session.all_hosts[0], session.environment)


def read_trusted(path: Path, limit: tuple[str, ...]) -> Saved:
    """Read a saved plan, before any host is asked. Raises `Refused` when its seal, term or limit is not valid."""
    plan = read(path)
    faults = [Fault(str(path), fault.what, fault.hint) for fault in plan.refusals(_digests_of(plan.environment), now())]
    if limit and limit != plan.limit:
        faults.append(Fault("--limit", "The plan says itself which hosts it is for.", "leave --limit out"))
    Refused.unless(faults)
    return plan


def sealed_plan(session: Session, plan: Plan, limit: tuple[str, ...]) -> Saved:
    """Return `plan`, which has no faults, as it may be applied later. Raises `Refused` when it cannot be sealed."""
    plan_digests = digests(session)
    valid = timedelta(hours=_rollout(session.hosts[0]).plan_valid_for)
    when = now()
    return Saved(
        environment=session.environment,
        limit=limit,
        made=when,
        expires=when + valid,
        key=plan_digests.name,
        settings=_settings(session, plan_digests),
        operations=take_snapshots(session, plan_digests),
        plan=redacted(plan).as_json(),  # a file that is redacted after it was sealed is an altered one
    ).sealed(plan_digests)


def refuse_expired(plan: Saved) -> None:
    """Raise `Refused` when `plan` has expired meanwhile: others may have been waited for."""
    if plan.expires <= now():
        raise Refused(
            Fault(plan.environment, f"The plan expired at {clock(plan.expires)}, before its turn came.", plan.again)
        )


def refuse_stale(session: Session, new_plan: Plan, plan: Saved) -> None:
    """Raise `Refused`, naming all that moved since `plan` was saved, unless `new_plan` is that very plan."""
    plan_digests = digests(session)
    faults = list(_already_applied(session, plan)) or [
        *_settings_faults(plan.settings, _settings(session, plan_digests), plan.again),
        *moved_faults(plan.operations, take_snapshots(session, plan_digests)),
    ]
    if not faults and json.loads(json.dumps(redacted(new_plan).as_json()["steps"])) != plan.plan["steps"]:
        faults = [
            Fault(plan.environment, f"This healthv1 ({plan.toolkit} saved it) would do something else.", plan.again)
        ]
    more = len(faults) - SHOWN
    if more > 0:
        faults[SHOWN:] = [Fault(plan.environment, f"{more} more moved.", plan.again)]
    Refused.unless(faults)


def _already_applied(session: Session, plan: Saved) -> Iterator[Fault]:
    for host in session.hosts:
        for applied in session.records.get(host.name, {}).get("plans", ()):
            if applied["id"] == plan.id:
                when = clock(datetime.fromisoformat(applied["at"]).astimezone(timezone.utc))
                yield Fault(host.name, f"This plan was applied already, at {when} by {applied['by']}.", plan.again)


def _settings_faults(
    then: Mapping[str, Mapping[str, str]], now: Mapping[str, Mapping[str, str]], again: str
) -> Iterator[Fault]:
    for host in sorted({*then, *now}):
        if host not in now or host not in then:
            yield Fault(host, f"It is {'no longer' if host in then else 'now'} in the inventory.", again)
            continue
        for name in sorted({*then[host], *now[host]}):
            if then[host].get(name) != now[host].get(name):
                yield Fault(f"{host}: {name}", "What group_data or the inventory says of it has changed.", again)


def _settings(session: Session, plan_digests: Digests) -> dict[str, dict[str, str]]:
    return {host.name: {name: plan_digests.of(value) for name, value in _host_settings(host)} for host in session.hosts}


def _host_settings(host: Host) -> Iterator[tuple[str, Any]]:
    yield "groups", sorted(host.groups)
    yield from ((name, host.data.get(name)) for name in ADDRESS)
    data = host.data.dict()
    own = {name for name in data.get(OWN, ()) if name in data}
    yield from (
        (name, canonical_unrevealed(value))
        for name, value in data.items()
        if name in own or isinstance(value, Settings)
    )


def _rollout(host: Host) -> Rollout:
    rollout = host.data.get("rollout")
    if isinstance(rollout, Rollout):
        return rollout
    raise Refused(Fault(f"group_data for {host.name}", "rollout is missing.", "add: rollout = Rollout()"))


def _digests(host: Host, environment: str) -> Digests:
    backend = host.data.get("secrets")
    if backend is None:
        raise Refused(Fault(f"group_data for {host.name}", "secrets is missing.", "add: secrets = Vault(…)"))
    key = _rollout(host).plan_key.bind(backend)
    if isinstance(backend, Rehearsal):
        what = "Secrets that are made up seal no plan, and no host remembers them."
        raise Refused(Fault(str(key), what, "do this with hosts that exist"))
    if key.is_missing():
        losses.refuse_lost(environment)
        raise Refused(Fault(str(key), "It is not in the backend yet.", f"healthv1 secrets init {environment}"))
    return Digests(key.reveal())
