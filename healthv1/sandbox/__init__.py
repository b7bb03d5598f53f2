"""Disposable hosts on this machine, and the servers around them. `up` and the rest are in `lifecycle`."""

from healthv1.sandbox.description import Host, Running, load, running
from healthv1.sandbox.place import Sandbox

__all__ = ["Host", "Running", "Sandbox", "load", "running"]
