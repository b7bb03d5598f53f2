"""Our paths below /var/lib and /usr/local/lib. No other module names one."""

from __future__ import annotations

FOLDER = "/var/lib/healthv1"
"""The state folder, mode 0700. The lock and the journals are here since the first version, and never move.

On an edge host 0710: Nginx's workers pass through it to `MAINTENANCE`. So nobody sets its mode once it is there.
"""
LINK = "/var/lib/health-v1"
"""A symlink to `FOLDER`. Units, stamps and earlier versions use this name, so it stays."""

RECORD = f"{FOLDER}/applied.json"
"""Digests of the last applied plan, and of the host's facts after it."""
MARKS = f"{FOLDER}/ours"
"""One file per mark. Its content is a name, such as "health" for the cluster 17/health."""
BEFORE = f"{FOLDER}/before"
FIREWALL = f"{FOLDER}/firewall"
INSTALLING = f"{FOLDER}/installing"
LISTS_RENEWED = f"{FOLDER}/lists-renewed"

STAMPS = f"{LINK}/applied"
"""Stamps: the configuration that each unit was last started with. One file per unit and effect: paths and digests."""
PREPARED = f"{LINK}/prepared"
"""A digest of the input of `seed --check` at its last success. It saves starting Python, which takes a second."""
UNFINISHED_CLUSTER = f"{LINK}/postgresql.unfinished"
"""The name of the cluster being created: until it is complete it never ran, and may be deleted."""
ALTERED_BY_SYSTEM = f"{LINK}/postgresql.restart"
REDIS_LOGIN = f"{LINK}/redis-probe"
"""The AUTH command for checks. redis-cli reads it from stdin, so it is in no argument list."""
REDIS_ACCEPTED = f"{REDIS_LOGIN}.accepted"
"""The last login that the running server accepted: it works even if `REDIS_LOGIN` was replaced since."""
SITE_LEAVING = f"{LINK}/site.leaving"
"""Exists while nginx may still serve a deleted site."""
LOGINS = f"{LINK}/logins"

BACKUP = f"{FOLDER}/backup"
"""Notes of the backup program: what was read back, and what the minute's look found."""
DRILLS = f"{FOLDER}/drills"
"""The evidence of restore drills: a signed file for each."""
METRICS = f"{FOLDER}/metrics"
"""One file in Prometheus' text format for each program that measures."""
BACKUP_PROGRAM = "/usr/local/lib/healthv1/backup"
"""A symlink to the program's folder; timers and `healthv1 backup` run it."""
MAINTENANCE = f"{FOLDER}/maintenance"
"""What each maintenance of the website says, a folder of its own for each, which Nginx's workers may read."""
CLOSED = f"{MAINTENANCE}/on"
"""A symlink to the one that is on. Without it none is: one rename switches, and one removal ends."""
