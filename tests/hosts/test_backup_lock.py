"""A bucket that cannot be emptied: what is said of it is tried, and what the host's key deletes comes back."""

import json
import os
from datetime import datetime, timezone
from pathlib import Path

import pytest

KEEPS = "What the host's key deletes in repository 1 can be brought back"
CLAIM = "What the host's key deletes in the bucket can be brought back"
SWITCH = "sudo -u postgres psql -qtc 'create table t as select 1; drop table t' -c 'select pg_switch_wal()'"
KEYS = "/etc/health-v1/pgbackrest.d/health-v1.conf"
FOLDER = f"/backups-{os.getpid()}"  # a host that was put back writes other WAL under names that are taken
LOCKED = """
    from deploys.component import Secret as _Secret

    _locked = _running.locked_s3
    backup = Backup(
        repository=S3(
            bucket=_locked.bucket,
            endpoint=_locked.endpoint.removeprefix("https://"),
            operator_endpoint=_locked.address.removeprefix("https://"),
            region=_locked.region,
            style="path",
            certificates=Path(_locked.ca_file).read_text(encoding="utf-8"),
            folder="FOLDER",
            locked=True,
            credentials=_Secret("locked_credentials", in_escrow=True),
        ),
        reserve=16,
    )
"""


@pytest.mark.long(110)
def test_a_locked_bucket_is_seen_to_hold_and_what_a_thief_deletes_in_it_comes_back(broken, project):
    """One host, which is put back once: each step finds what the one before left."""
    broken.locked_s3()
    _a_bucket_without_versions_is_no_locked_one(broken)
    _another_bucket_is_begun_anew(broken, project)
    _it_holds_and_the_probe_does_not_pile_up(broken, project)
    _a_key_that_administers_the_bucket_is_one_too_many(broken, project)
    _what_is_deleted_and_overwritten_comes_back_with_all_wal(broken, project)
    _it_needs_no_host_and_keeps_to_its_folder(broken, project)


def pair(world, file):
    key = json.loads(Path(getattr(world.running.locked_s3, file)).read_text())
    return f"{key['access_key_id']}:{key['secret_access_key']}"


def checked(world, **options):
    """Return the exit code, what is wrong with the bucket, and the sentences about a thief."""
    code, document = world.json("backup", "check", "sandbox", **options)
    (found,) = [one for one in document["findings"] if one["claim"] == KEEPS]
    return code, found["evidence"], [one["sentence"] for one in document["exposed"][0]["abilities"]]


def now():
    return datetime.now(timezone.utc)


def _a_bucket_without_versions_is_no_locked_one(world):
    world.shell('sed -i \'s/"locked": false/"locked": true/\' /etc/health-v1/backup.json')
    code, fault, sentences = checked(world)
    assert code == 3
    assert fault == "the bucket keeps no versions: what is deleted or overwritten is gone"
    assert "Deletes and overwrites all backups for good: the bucket keeps no versions." in sentences
    refused = world.cli("backup", "undelete", "sandbox", "--to", "2026-01-01 00:00:00", "--yes")
    assert refused.returncode == 1
    assert "It keeps no versions" in refused.stderr


def _another_bucket_is_begun_anew(world, locked):
    with (locked / "group_data/sandbox.py").open("a") as settings:
        settings.write(LOCKED.replace("FOLDER", FOLDER))
    world.openbao("POST", f"data/{world.name}/locked_credentials", {"data": {"value": pair(world, "key_file")}})
    world.must("apply", "sandbox", "--yes", cwd=locked)
    _, plan = world.json("plan", "sandbox", cwd=locked)
    assert plan["changes"] == 0


def _it_holds_and_the_probe_does_not_pile_up(world, locked):
    assert checked(world, cwd=locked)[:2] == (0, "")
    code, fault, sentences = checked(world, cwd=locked)
    assert (code, fault) == (0, "")
    assert "Cannot delete a locked version for good (compliance): it was refused." in sentences
    assert "Cannot even read the lock's settings, so changing them was not tried." in sentences
    assert any(sentence.startswith("Deletes for good what was written more than 1 day ago") for sentence in sentences)
    found = world.locked_s3().list_object_versions(Bucket="locked", Prefix=f"{FOLDER[1:]}/")
    probes = [one for one in (*found["Versions"], *found.get("DeleteMarkers", ())) if "/healthv1-probe" in one["Key"]]
    assert len(probes) == 1
    _, verified = world.json("verify", "sandbox", cwd=locked)
    assert [one["holds"] for one in verified["findings"] if one["claim"] == CLAIM] == [True]


def _a_key_that_administers_the_bucket_is_one_too_many(world, locked):
    of_host, of_owner = pair(world, "key_file").split(":"), pair(world, "admin_key_file").split(":")
    exchange = "sed -i 's|{0}|{2}|; s|{1}|{3}|' " + KEYS
    world.shell(exchange.format(*of_host, *of_owner))
    try:
        code, fault, sentences = checked(world, cwd=locked)
        claimed = world.shell("/usr/bin/python3 -IB /usr/local/lib/healthv1/backup claim locked && echo holds")
    finally:
        world.shell(exchange.format(*of_owner, *of_host))
    assert code == 3
    assert "changes the lock's settings" in fault
    assert any("take s3:PutBucketObjectLockConfiguration" in sentence for sentence in sentences)
    assert claimed.split() == ["holds"]  # what is there is locked for the owner as well: it may only change what comes


def _what_is_deleted_and_overwritten_comes_back_with_all_wal(world, locked):
    before = now()
    archive(world, more_than=last_segment(world))  # after the moment to go back to, and deleted too
    was = empty(world)
    archived = last_segment(world)
    for _ in range(3):
        world.shell(SWITCH)
    emptied = world.cli("backup", "verify", "sandbox", cwd=locked)
    assert emptied.returncode == 3, emptied.stdout + emptied.stderr

    undelete = ("backup", "undelete", "sandbox", "--to", f"{before:%Y-%m-%d %H:%M:%S}")
    shown = world.must(*undelete, "--dry-run", cwd=locked)
    assert f"{len(was)} objects" in shown.stdout
    assert listed(world) == {one for one in was if one.endswith("backup.info")}
    assert world.cli(*undelete, cwd=locked).returncode == 1  # there is nobody to ask
    world.must(*undelete, "--yes", cwd=locked)
    assert was - listed(world) == set()

    archive(world, more_than=archived, count=4)  # the three that waited, and one more
    assert world.must("backup", "verify", "sandbox", cwd=locked).returncode == 0
    assert "Nothing to do" in world.must(*undelete, "--yes", cwd=locked).stdout
    runs = world.must("journal", "show", "sandbox", cwd=locked).stdout
    assert "backup undelete --to" in runs


def _it_needs_no_host_and_keeps_to_its_folder(world, locked):
    (folder,) = json.loads(world.shell("cat /etc/health-v1/backup.json"))["repositories"]
    undelete = ("backup", "undelete", "sandbox", "--to", f"{now():%Y-%m-%d %H:%M:%S}", "--yes")
    inventory = locked / "inventories/sandbox.py"
    kept = inventory.read_text()
    inventory.write_text(kept.replace("host.address,", '"127.0.0.1",'))
    try:
        assert "add --folder FOLDER" in world.cli(*undelete, cwd=locked).stderr
        assert "Nothing to do" in world.must(*undelete, "--folder", folder, cwd=locked).stdout
        refused = world.cli(*undelete, "--folder", "/elsewhere/x", cwd=locked)
        assert (refused.returncode, f"It is not below {FOLDER}" in refused.stderr) == (1, True)
    finally:
        inventory.write_text(kept)


def client(world):
    return world.locked_s3("host")


def listed(world):
    pages = client(world).get_paginator("list_objects_v2").paginate(Bucket="locked", Prefix=f"{FOLDER[1:]}/")
    keys = {entry["Key"] for page in pages for entry in page.get("Contents", ())}
    return {key for key in keys if not key.endswith("healthv1-probe")}


def empty(world):
    """Do what a thief of the host's key can: delete what is there, or write over it. Returns what was there."""
    there = listed(world)
    for key in sorted(there, key=lambda key: "archive.info" not in key):  # without it nothing more arrives
        if key.endswith("backup.info"):
            client(world).put_object(Bucket="locked", Key=key, Body=b"garbage")
        else:
            client(world).delete_object(Bucket="locked", Key=key)
    arrived = {key for key in listed(world) if not key.endswith("backup.info")}
    for key in arrived:
        client(world).delete_object(Bucket="locked", Key=key)
    return there | arrived


def last_segment(world):
    return world.shell("sudo -u postgres psql -Atc 'select left(last_archived_wal, 24) from pg_stat_archiver'").strip()


def archive(world, *, more_than, count=1):
    """Finish a segment, and wait until so many more than before are archived."""
    world.shell(SWITCH)
    goal = f"{int(more_than, 16) + count:024X}"
    ask = f"sudo -u postgres psql -Atc \"select left(last_archived_wal, 24) >= '{goal}' from pg_stat_archiver\""
    waiting = f'for i in $(seq 90); do test "$({ask})" = t && exit 0; sleep 1; done; exit 1'
    world.shell(waiting)
