"""Restores, as tests look at them: rows of their own, which data serve, and a program that is killed at a step."""

import json
import time

UNIT = "health-v1-restore.service"
DROP_IN = f"/run/systemd/system/{UNIT}.d/kill.conf"
PROGRAM = "python3 -I -B /usr/local/lib/healthv1/backup"
CLUSTER = "/var/lib/postgresql/17/health"


class Restores:
    """The restores of a deployed host."""

    def __init__(self, world):
        self.world = world

    def sql(self, statement, database="health_v1_prod"):
        """Ask the live database, past our own code."""
        psql = f'cd /; sudo -u postgres psql -XAtq -v ON_ERROR_STOP=1 -p 5432 -d {database} -c "{statement}"'
        return self.world.shell(psql).strip()

    def plant(self, *numbers):
        self.sql("create table if not exists public.planted (n int primary key)")
        for number in numbers:
            self.sql(f"insert into public.planted values ({number})")

    @property
    def planted(self):
        return [int(line) for line in self.sql("select n from public.planted order by n").split()]

    def moment(self):
        """Return the host's time as an ISO time, with a moment before and after it in which nothing is written."""
        time.sleep(1.1)
        told = self.world.shell("date -u +%Y-%m-%dT%H:%M:%S.%NZ | sed 's/...Z$/Z/'").strip()
        time.sleep(0.2)
        return told

    @property
    def identity(self):
        """Return what changes when other data serve, or the same ones were started again."""
        return self.sql("select timeline_id, pg_postmaster_start_time() from pg_control_checkpoint()")

    @property
    def timeline(self):
        return int(self.sql("select timeline_id from pg_control_checkpoint()"))

    @property
    def noted(self):
        return json.loads(self.world.shell(f"{PROGRAM} restore status"))

    def assert_whole(self):
        """The database serves, archives, and takes writes, and every structure in it is whole."""
        asked = "select pg_is_in_recovery(), current_setting('archive_mode')"
        assert self.sql(asked) == "f|on"
        self.sql("insert into beat (at) values (now())", "health_v1_canary")
        self.world.shell("systemctl is-active 'postgresql@*-health.service'")

    def restore(self, *words, code=0):
        """Run `healthv1 restore sandbox`, and return its document."""
        got, document = self.world.json("restore", "sandbox", *words)
        assert got == code, document
        return document

    def kill_at(self, step):
        """Have the host's program killed when it begins a step, as often as it does."""
        text = f"[Service]\\nEnvironment=HEALTHV1_KILL_AT={step}\\nRestart=no\\n"
        self.world.shell(f"mkdir -p {DROP_IN.rpartition('/')[0]}; printf '{text}' > {DROP_IN}; systemctl daemon-reload")

    def kill_no_more(self):
        self.world.shell(f"rm -f {DROP_IN}; systemctl daemon-reload")

    def wait(self, seconds=120):
        """Wait until the host's program rests, without an operator."""
        until = time.monotonic() + seconds
        while (noted := self.noted)["active"]:
            assert time.monotonic() < until, noted
            time.sleep(0.5)
        return noted
