"""Backs a cluster up, proves what it backed up, and notes what it found. It runs on the database host, as root.

It needs the distribution's Python and nothing else, and no operator: timers start it.
"""
