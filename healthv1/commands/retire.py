"""What `healthv1 retire` does, without a terminal: choose, plan, ask, take down, and have the others forget."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

from deploys import retirement
from deploys.facts.marks import Marks
from deploys.retirement import Retirement
from healthv1.errors import Fault, HostError, Refused
from healthv1.hosts.inventory import UnlistedHost
from healthv1.hosts.pyinfra_names import Host
from healthv1.hosts.session import Session, opened, read_deploys
from healthv1.journal.recording import recorded
from healthv1.lock.holder import Terms
from healthv1.lock.locking import locked, wait_until_free
from healthv1.plan import Plan, Step
from healthv1.plan.members import Member
from healthv1.plan.outcome import Outcome
from healthv1.retire import choosing, forgetting, standing
from healthv1.retire.choosing import Chosen
from healthv1.rollout import membership, planner, saved_plans, stages
from healthv1.rollout.progress import Progress
from healthv1.signals import interrupts_deferred, sigterm_as_interrupt

SCHEMA = 1
WAITING = "Stopping as soon as the running operation has ended. Once more stops at once."
Agree = Callable[[Plan], bool]


@dataclass(frozen=True)
class Wish:
    """What the user wants of one host."""

    host: str
    parts: tuple[str, ...] = ()
    with_data: str = ""
    """The host's name once more, when its data is to go as well."""
    ssh_key: str = ""
    known_hosts: str = ""

    @property
    def connection_settings(self) -> dict[str, Any]:
        settings = {"ssh_key": self.ssh_key, "ssh_known_hosts_file": self.known_hosts}
        return {name: value for name, value in settings.items() if value}


@dataclass(frozen=True)
class Retired:
    environment: str
    host: str
    address: str
    steps: tuple[Step, ...] = ()
    faults: tuple[Fault, ...] = ()
    declined: bool = False
    interrupted: bool = False
    forgotten_by: tuple[str, ...] = ()
    """The hosts whose record named it until now."""

    @property
    def changes(self) -> int:
        return sum(len(step.changes) for step in self.steps)

    @property
    def ended_well(self) -> bool:
        return not (self.faults or self.declined or self.interrupted)

    def as_json(self) -> dict[str, Any]:
        return {"schema": SCHEMA, "changes": self.changes, **asdict(self)}


def retire(
    environment: str,
    wish: Wish,
    agree: Agree,
    terms: Terms = Terms(),  # noqa: B008 - a value
) -> Retired:
    """Take down a host that left, or parts that one left. Raises `Refused`, with nothing changed."""
    progress = Progress()
    progress.note(f"Asking who was of {environment}")
    chosen = _chosen(environment, wish)
    unlisted = () if chosen.named else (_unlisted(chosen.member, wish),)
    with sigterm_as_interrupt(), opened(environment, read_site=False, unlisted=unlisted) as session:
        host = _host(session, chosen, progress)
        wait_until_free(session, terms, progress.note)
        membership.read_records(session)
        choosing.refuse_others(chosen, session.records[host.name], saved_plans.digests(session).name, environment)
        choosing.refuse_too_early(environment, chosen, membership.present_hosts(session, [host]))
        standing.refuse_in_use(session, host, chosen)
        if wish.with_data:
            others = standing.database_holders(session, host)
            choosing.refuse_data(chosen, wish.with_data, others, has_database=_has_database(session, host))
        plan = _plan_retirement(session, host, chosen, data=bool(wish.with_data))
        Refused.unless(plan.faults)
        done = Retired(environment, chosen.member.name, chosen.member.address)
        due = forgetting.hosts_to_update(session, host, chosen)
        if not plan.steps and not due:
            return done
        if plan.steps and not agree(plan):
            return replace(done, declined=True)
        return _take_down(session, host, chosen, plan, done, terms, progress)


def forget(environment: str, wish: Wish, agree: Callable[[Member], bool], terms: Terms) -> Retired:
    """Remove a host that is gone for good from the records of the others. The host itself is not connected to."""
    progress = Progress()
    with sigterm_as_interrupt(), opened(environment, read_site=False) as session:
        chosen = _choice(session, wish)
        done = Retired(environment, chosen.member.name, chosen.member.address)
        if chosen.named:
            raise Refused(Fault(wish.host, "The inventory names it.", "take it out of the inventory first"))
        _drop_unreachable(session, progress)
        if not forgetting.hosts_to_update(session, None, chosen):
            return done
        if not agree(chosen.member):
            return replace(done, declined=True)
        with (
            locked(session, "retire --forget", terms, progress.note),
            recorded(session, f"retire --forget {chosen.member.name}", progress.note),
        ):
            return replace(done, forgotten_by=forgetting.update_records(session, None, chosen))


def _chosen(environment: str, wish: Wish) -> Chosen:
    with opened(environment, read_site=False) as session:
        return _choice(session, wish)


def _choice(session: Session, wish: Wish) -> Chosen:
    """Look the host up in the records of the others. Raises `HostError` when no host can be asked."""
    membership.read_records(session)
    if not session.hosts:
        session.refuse_faults()
    return choosing.choose(
        wish.host, wish.parts, membership.present_hosts(session), membership.inventory_members(session)
    )


def _unlisted(member: Member, wish: Wish) -> UnlistedHost:
    """Return the host with its remembered SSH settings; the others' settings count where none is remembered."""
    user = {"ssh_user": member.ssh_user} if member.ssh_user else {}
    private = {"private_address": member.private_address or None}
    where = {"ssh_hostname": member.address, "ssh_port": member.ssh_port}
    return UnlistedHost(f"{member.name} ({member.address})", {**where, **private, **user, **wish.connection_settings})


def _host(session: Session, chosen: Chosen, progress: Progress) -> Host:
    """Return the chosen host. Raises `HostError` when it cannot be reached; other hosts may be unreachable."""
    members = membership.inventory_members(session)
    name = next(member.name for member in members if member.address == chosen.member.address)
    host = session.host(name)
    faults = session.faults.get(host.name, [])
    if faults and not chosen.named:
        hint = f"if it is gone for good: healthv1 retire {session.environment} {chosen.member.name} --forget"
        faults = [*faults, Fault(host.name, "Nothing was changed on any host.", hint)]
    HostError.unless(faults)
    _drop_unreachable(session, progress)
    return host


def _has_database(session: Session, host: Host) -> bool:
    with session.on(host):
        return "cluster" in host.get_fact(Marks, _sudo=True)


def _drop_unreachable(session: Session, progress: Progress) -> None:
    """Go on without unreachable hosts. Their records still name the retired host, and are updated by a later retire."""
    if not session.hosts:
        session.refuse_faults()
    for fault in (fault for host_faults in session.faults.values() for fault in host_faults):
        progress.note(f"{fault.where} takes no part: {fault.what}")
    session.faults.clear()


def _plan_retirement(session: Session, host: Host, chosen: Chosen, *, data: bool) -> Plan:
    leaving = Retirement(chosen.leaving, entire_host=not chosen.named, data=data)
    read_deploys(session, str(retirement.__file__), lambda _: retirement.retire(leaving), [host])
    return replace(planner.plan(session), hosts=(host.name,))


def _take_down(
    session: Session, host: Host, chosen: Chosen, plan: Plan, done: Retired, terms: Terms, progress: Progress
) -> Retired:
    with (
        locked(session, "retire", terms, progress.note),
        recorded(session, f"retire {chosen.member.name}", progress.note, plan.steps) as run,
    ):
        outcome = _carry_out(session, plan, progress) if plan.steps else Outcome((), (), ())
        run.end_with(outcome.steps, outcome.faults)
        run.result = "interrupted" if outcome.interrupted else run.result
        names = forgetting.update_records(session, host, chosen) if outcome.ended_well else ()
    return replace(
        done, steps=outcome.steps, faults=outcome.faults, interrupted=outcome.interrupted, forgotten_by=names
    )


def _carry_out(session: Session, plan: Plan, progress: Progress) -> Outcome:
    with progress, interrupts_deferred(lambda: progress.note(WAITING)) as stopping:
        return stages.apply(session, plan, progress, stopping=stopping)
