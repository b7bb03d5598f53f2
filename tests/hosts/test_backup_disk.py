"""WAL that cannot leave the host fills its disk, until PostgreSQL is down: that is told, ends, and nothing is lost."""

from healthv1.sandbox.addresses import allot
from healthv1.sandbox.servers import s3, server
from tests.hosts.restores import PROGRAM
from tests.hosts.test_backup import CANARY, red

WAITING = 60
SEGMENTS = 70
"""16 MB each: so many the disk has room for."""
# A file system of its own, as on a host with a disk for WAL. Little of it is kept for WAL that was archived already.
MOUNTED = f"""set -e; systemctl stop health-v1-backup-watch.timer
{CANARY} "alter system set max_wal_size = '96MB'" -c "alter system set min_wal_size = '32MB'"
{CANARY} 'create table numbered (n int primary key)'
systemctl stop 'postgresql@*'
cd /var/lib/postgresql/*/health; mv pg_wal aside; install -d -m 0700 -o postgres -g postgres pg_wal
mount -t tmpfs -o size={SEGMENTS * 16}m,mode=0700,uid=$(id -u postgres),gid=$(id -g postgres) tmpfs pg_wal
cp -a aside/. pg_wal/; rm -r aside; systemctl start postgresql@$(ls /etc/postgresql)-health
{PROGRAM} watch; test -e pg_wal/health-v1.reserve; test ! -e /var/lib/postgresql/health-v1.reserve"""
NONE_WAITS = "select 1 / (count(*) = 0)::int from pg_ls_archive_statusdir() where name like '%.ready'"
ARCHIVED = "WAL is archived continuously"
ROOM = "The disk has room for WAL that waits, and its reserve is there"


def test_a_disk_that_is_full_of_wal_is_told_and_nothing_is_lost(broken):
    broken.shell(MOUNTED)
    server.stop(broken.sandbox, s3.NAME)
    written = _write(broken, 1, WAITING)
    assert written == list(range(1, WAITING + 1))
    watched = _watch(broken)
    assert watched["healthv1_backup_wal_waiting"] >= WAITING
    assert watched["healthv1_backup_reserve_bytes"] == 16 * 2**20
    assert "WAL segments wait on the host" in _claim(broken, "archived")
    assert _claim(broken, "room") == ""

    written += _write(broken, WAITING + 1, 2 * SEGMENTS)
    assert written[-1] < SEGMENTS, "the disk never was full"
    watched = _watch(broken)
    assert watched["healthv1_backup_wal_waiting"] >= WAITING, "it is told while PostgreSQL is down"
    assert watched["healthv1_backup_reserve_bytes"] == 0
    assert watched["healthv1_backup_disk_free_ratio"] < 0.02
    _until(broken, f"{CANARY} 'select 1'")  # by itself, in the room that the reserve gave back
    _watch(broken)
    assert {ARCHIVED, ROOM} <= red(broken)
    assert "its reserve went" in _claim(broken, "room")

    s3.start(broken.sandbox, allot(broken.sandbox))
    s3.ready(broken.sandbox, allot(broken.sandbox))
    _until(broken, f'{CANARY} "{NONE_WAITS}"')
    broken.shell(f"{CANARY} checkpoint")
    watched = _watch(broken)
    assert watched["healthv1_backup_wal_waiting"] == 0
    assert watched["healthv1_backup_reserve_bytes"] == 16 * 2**20
    assert [_claim(broken, name) for name in ("archived", "room")] == ["", ""]
    kept = list(map(int, broken.shell(f"{CANARY} 'select n from numbered order by n'").split()))
    assert kept[: len(written)] == written
    assert broken.cli("backup", "now", "sandbox", "--full").returncode == 0  # it reads all WAL back as well


def _claim(world, name):
    """Return what is wrong, as the claim tells; empty when it holds."""
    return world.shell(f"{PROGRAM} claim {name} || true").strip()


def _write(world, first, last):
    """Write a row in a WAL segment of its own for each number; return those that PostgreSQL said it has."""
    rows = (
        f"insert into numbered values ({n}) returning n; select from pg_switch_wal();" for n in range(first, last + 1)
    )
    lines = "\n".join(rows)
    session = f"({CANARY.removesuffix(' -c')} -v ON_ERROR_STOP=1) 2>/dev/null <<'END' || true\n{lines}\nEND"
    return [int(line) for line in world.shell(session).split()]


def _watch(world):
    """Have the minute's look taken; return what it measured."""
    world.shell(f"{PROGRAM} watch || true")
    lines = world.shell("grep -v '^#' /var/lib/healthv1/metrics/backup_watch.prom").splitlines()
    return {name: float(value) for name, value in map(str.split, lines)}


def _until(world, command):
    world.shell(f"i=0; until {command} >/dev/null 2>&1; do sleep 0.5; i=$((i+1)); [ $i -lt 300 ] || exit 1; done")
