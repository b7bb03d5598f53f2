"""`healthv1 plan`: what an apply would change, and a plan that is saved."""

from __future__ import annotations

from pathlib import Path

from deploys.facts.lock import Lock
from deploys.facts.record import Record
from healthv1.hosts.session import opened
from healthv1.journal.recording import record
from healthv1.lock.locking import note_deploys
from healthv1.plan import Plan
from healthv1.rollout import losses, membership, planner, saved_plans
from healthv1.rollout.progress import Progress
from healthv1.rollout.snapshots import refuse_formless_arguments
from healthv1.workspace import atomic_files


def plan(environment: str, limit: tuple[str, ...], out: Path | None = None) -> Plan:
    """Raises `Refused` when nothing at all can be planned, or the plan cannot be saved to `out`."""
    progress = Progress()
    progress.note(f"Planning {environment}")
    with opened(environment, limit) as session:
        losses.refuse(session)
        refuse_formless_arguments(session)
        new_plan = membership.with_left_members(session, planner.plan(session, besides=(Lock, Record)))
        if out and not new_plan.faults:
            atomic_files.write(out, saved_plans.sealed_plan(session, new_plan, limit).text())
        elif out:
            progress.note(f"A plan with faults is not saved: {out} was not written")
        note_deploys(session, progress.note)
        due = "changes are due" if new_plan.steps else "nothing to do"
        result = "not every host could be planned" if new_plan.faults else due
        record(session, "plan", progress.note, result, progress.seconds(), new_plan.steps)
    return new_plan
