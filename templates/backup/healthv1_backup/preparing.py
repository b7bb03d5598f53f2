"""What has to be there ahead of the first backup: the canary's database, and a stanza in each repository."""

from __future__ import annotations

import time
from pathlib import Path

from healthv1_backup import notes, retired, watching
from healthv1_backup.processes import Ended, Failed, pgbackrest, say, sql
from healthv1_backup.settings import CANARY, MARK, STATE, Settings

NOTE = STATE / "prepared"
"""The folders of the repositories that are prepared, a line for each."""
PLACES = STATE / "places"
"""The same with their buckets."""
ANSWER = 120  # seconds
LOCKED = 50
"""pgBackRest's exit code when another one of it is at work."""

_DATABASE = f"""select 'create database {CANARY} template template0'
  where not exists (select from pg_database where datname = '{CANARY}') \\gexec
revoke all on database {CANARY} from public;
\\connect {CANARY}
create extension if not exists amcheck;
create table if not exists beat (id bigint generated always as identity primary key, at timestamptz not null);
create index if not exists beat_at on beat (at)"""


def prepare(settings: Settings) -> int:
    """Make the canary's database and the stanzas, and see a WAL segment arrive in each repository. Raises `Failed`."""
    for folder in settings.directories:
        if Path(folder).stat().st_dev == Path(settings.data).stat().st_dev:
            raise Failed(f"{folder} is on the disk of the database, and would be lost with it: mount another one there")
    sql(settings, _DATABASE)
    # Whoever migrates names the moment before, from whichever host.
    functions = "pg_create_restore_point(text), pg_switch_wal()"
    sql(settings, f'grant execute on function {functions} to "{settings.owner}"', settings.database)
    for command in ("stanza-create", "check"):
        ended = once_nobody_archives(settings, command)
        if ended.code:
            raise Failed(f"{command}: {ended.why}")
    retired.note_retired(NOTE.read_text(encoding="utf-8").split() if NOTE.exists() else [], settings)
    notes.remove("proof")  # of other repositories, though in folders of these names
    notes.replace(NOTE, "".join(f"{folder}\n" for folder in settings.repositories), 0o600)
    notes.replace(PLACES, "".join(f"{place}\n" for place in settings.places), 0o600)
    notes.replace(MARK, f"{settings.stanza}\n", 0o600)
    watching.watch(settings)  # the claims are asked ahead of the first minute's look
    say("A WAL segment arrived in each repository.")
    return 0


def once_nobody_archives(settings: Settings, command: str) -> Ended:
    """Run a command that needs pgBackRest's lock, which PostgreSQL's archiving holds for moments."""
    until = time.monotonic() + ANSWER
    while True:
        ended = pgbackrest(settings, command, timeout=ANSWER)
        if ended.code != LOCKED or time.monotonic() > until:
            return ended
        time.sleep(1)
