"""A plan: as data, as JSON and back, and as people read it. What a plan says is what an apply does."""

from healthv1.plan.data import Plan
from healthv1.plan.left import Left
from healthv1.plan.schema import SCHEMA
from healthv1.plan.step import Step
from healthv1.plan.words import counted, total

__all__ = ["SCHEMA", "Left", "Plan", "Step", "counted", "total"]
