"""`healthv1 apply`: plan, ask for consent, take the lock, run the stages, and record the result."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from deploys.facts.lock import Lock
from deploys.facts.record import Record
from healthv1.errors import Fault, HostError, Refused
from healthv1.hosts.session import Session, opened
from healthv1.journal.recording import record, recorded
from healthv1.lock.holder import Terms
from healthv1.lock.locking import locked, wait_until_free
from healthv1.plan import SCHEMA, Plan, Step
from healthv1.plan.outcome import HostStanding, Outcome
from healthv1.plan.saved import Saved
from healthv1.rollout import approval, drill_keys, last_apply, losses, membership, planner, saved_plans, stages
from healthv1.rollout.approval import Agreement
from healthv1.rollout.progress import Progress
from healthv1.rollout.snapshots import hosts_unchanged, refuse_formless_arguments
from healthv1.signals import NothingChanged, interrupts_deferred, sigterm_as_interrupt

WAITING = "Stopping as soon as the running operation has ended. Once more stops at once."


@dataclass(frozen=True)
class Applied:
    environment: str
    hosts: tuple[str, ...]
    seconds: float
    steps: tuple[Step, ...] = ()
    faults: tuple[Fault, ...] = ()
    unfinished: tuple[str, ...] = ()
    declined: bool = False
    """The plan was shown and not agreed to."""
    standings: tuple[HostStanding, ...] = ()
    """The progress of each host."""
    interrupted: bool = False
    """Somebody interrupted it."""

    @classmethod
    def of(cls, plan: Plan, outcome: Outcome, seconds: float) -> Applied:
        return cls(
            plan.environment,
            plan.hosts,
            seconds,
            outcome.steps,
            outcome.faults,
            outcome.unfinished,
            standings=outcome.standings,
            interrupted=outcome.interrupted,
        )

    @property
    def changes(self) -> int:
        return sum(len(step.changes) for step in self.steps)

    @property
    def ended_well(self) -> bool:
        return not (self.faults or self.declined or self.interrupted)

    def as_json(self) -> dict[str, Any]:
        return {"schema": SCHEMA, "changes": self.changes, **asdict(self)}


def apply(
    environment: str,
    limit: tuple[str, ...],
    agree: Callable[[Plan], bool],
    progress: Progress | None = None,
    saved: Saved | None = None,
    terms: Terms = Terms(),  # noqa: B008 - a value
    *,
    resume: bool = False,
) -> Applied:
    """Plan, ask, and make it so. Raises `Refused`, with nothing changed, when any chosen host has a fault.

    + saved: the saved plan; a plan that differs from it is refused.
    + resume: go on with the agreement of an apply that stopped; `agree` is only shown the remaining changes.
    """
    progress = progress or Progress()
    earlier = approval.agreement_to_resume(environment, limit) if resume else approval.read_agreement(environment)
    limit = earlier.limit if resume and earlier else limit
    progress.note(f"Planning {environment}")
    with sigterm_as_interrupt(), opened(environment, limit) as session:
        losses.refuse(session)
        refuse_formless_arguments(session)
        wait_until_free(session, terms, progress.note)
        plan = planner.plan(session, besides=(Lock, Record))
        _refuse_faults(session)
        plan = membership.with_left_members(session, plan)
        if saved:
            saved_plans.refuse_stale(session, plan, saved)
        earlier = earlier if earlier and (resume or earlier.covers_hosts(session.addresses)) else None
        agreement = _agreement(Agreement.of_plan(plan, limit, session.addresses), plan, earlier, resume=resume)
        if not plan.steps and not agreement.unproven_on(plan.hosts):
            for left in plan.left:
                progress.note(f"{left.what} To take it down: {left.way_out}")
            (earlier or agreement).mark_done(plan.hosts)
            _record_apply(session, saved, progress, changed=False)
            record(session, "apply", progress.note, "nothing to do", progress.seconds())
            return Applied(environment, plan.hosts, progress.seconds())
        if not _ask_consent(session, plan, agree, progress):
            record(session, "apply", progress.note, "declined", progress.seconds())
            return Applied(environment, plan.hosts, progress.seconds(), declined=True)
        with (
            locked(session, "apply", terms, progress.note),
            recorded(session, "apply", progress.note, plan.steps) as run,
        ):
            if saved:
                saved_plans.refuse_expired(saved)
            last_apply.record_members(session)
            with hosts_unchanged(session):
                planner.refresh_facts(session, anew=True)
            outcome = _carry_out(session, plan, agreement, progress)
            if outcome.ended_well:
                (earlier or agreement).mark_done(plan.hosts)
            run.end_with(outcome.steps, outcome.faults)
            run.result = "interrupted" if outcome.interrupted else run.result
            if outcome.ended_well:
                _record_apply(session, saved, progress, changed=True)
    return Applied.of(plan, outcome, progress.seconds())


def _ask_consent(session: Session, plan: Plan, agree: Callable[[Plan], bool], progress: Progress) -> bool:
    """Ask for consent. Raises `NothingChanged` when it is interrupted there."""
    try:
        return agree(plan)
    except KeyboardInterrupt:
        record(session, "apply", progress.note, "interrupted before the first change", progress.seconds())
        raise NothingChanged from None


def _record_apply(session: Session, saved: Saved | None, progress: Progress, *, changed: bool) -> None:
    """Have the hosts record this apply. A host that cannot is noted, and no fault: the changes are made."""
    last_apply.record_apply(session, saved_plans.digests(session), saved.id if saved else "", changed=changed)
    drill_keys.pin_keys(session, progress.note)
    for fault in (fault for host_faults in session.faults.values() for fault in host_faults):
        progress.note(f"{fault.where} does not remember this apply, so drift will not know it: {fault.what}")


def refuse_resuming(saved: Saved, *, resume: bool) -> None:
    """Refuse to resume a saved plan: its remainder is no longer the plan that was sealed."""
    if resume:
        what = "A saved plan is applied from its beginning, or not at all."
        raise Refused(Fault("apply --resume", what, f"healthv1 apply {saved.environment} --resume"))


def _refuse_faults(session: Session) -> None:
    """Raise `HostError` when any host has a fault. The hint leaves those hosts out, by --limit."""
    faults = [fault for host_faults in session.faults.values() for fault in host_faults]
    healthy = [host.name for host in session.hosts]
    if faults and healthy:
        limits = approval.limit_options(healthy)
        hint = f"to go on without {', '.join(session.faults)}: healthv1 apply {session.environment} {limits}"
        faults.append(Fault(f"apply {session.environment}", "Nothing was changed on any host.", hint))
    if faults:
        raise HostError(*faults)


def _agreement(new: Agreement, plan: Plan, earlier: Agreement | None, *, resume: bool) -> Agreement:
    """Return the agreement. What an earlier apply left unproven on these hosts has to pass the gates of this one."""
    if earlier and resume:
        earlier.refuse_unagreed(new, plan)
        return earlier
    if earlier:
        new.unproven |= earlier.unproven
    return new


def _carry_out(session: Session, plan: Plan, agreement: Agreement, progress: Progress) -> Outcome:
    unproven = agreement.unproven_on(plan.hosts)
    with progress, interrupts_deferred(lambda: progress.note(WAITING)) as stopping:
        agreement.write()
        return stages.apply(session, plan, progress, agreement, stopping, unproven)
