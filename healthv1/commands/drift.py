"""`healthv1 drift`: what was changed on hosts, told from what was changed in the repository."""

from __future__ import annotations

from deploys.facts.lock import Lock
from deploys.facts.record import Record
from healthv1.hosts.session import opened
from healthv1.plan import drift as drifts
from healthv1.plan.drift import Drift
from healthv1.rollout import losses, membership, planner, saved_plans
from healthv1.rollout.progress import Progress
from healthv1.rollout.snapshots import refuse_formless_arguments, take_snapshots


def drift(environment: str, limit: tuple[str, ...]) -> Drift:
    """Raises `Refused` when nothing at all can be planned."""
    progress = Progress()
    progress.note(f"Looking for drift of {environment}")
    with opened(environment, limit) as session:
        losses.refuse(session)
        refuse_formless_arguments(session)
        plan = membership.with_left_members(session, planner.plan(session, besides=(Lock, Record)))
        digests = saved_plans.digests(session)
        return drifts.drift(plan, take_snapshots(session, digests), session.records, digests.name)
