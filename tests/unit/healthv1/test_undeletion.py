"""Which old versions are brought back: what was current at a moment, and all WAL of later."""

from datetime import datetime, timedelta, timezone
from types import SimpleNamespace

import pytest

from deploys.backup.settings import S3, Backup, Directory
from healthv1.backup import undeleting
from healthv1.backup.exposure import checked
from healthv1.backup.undeletion import Undeleted, is_below, undeletion
from healthv1.cli import backup as cli
from healthv1.errors import Fault, Refused, StorageError
from healthv1.storage.versions import LARGEST_COPY, ObjectVersion

TO = datetime(2026, 11, 29, 9, 0, 0, tzinfo=timezone.utc)
FOLDER = "health-v1/0a1b/3"
FILE = f"{FOLDER}/backup/health/20261129-020000F/bundle/1"
LIST = f"{FOLDER}/backup/health/backup.info"
WAL = f"{FOLDER}/archive/health/17-1/0000000100000000/000000010000000000000003-0a.zst"
BUCKET = {"bucket": "backups", "endpoint": "s3.example.com", "region": "eu-1"}


def version(name, seconds, key=FILE, **more):
    """Return a version that was written so many seconds after the moment; its name is its content, too."""
    values = {"latest": False, "size": 1, "digest": name} | more
    return ObjectVersion(key, name, TO + timedelta(seconds=seconds), **values)


def marker(name, seconds, key=FILE, **more):
    return version(name, seconds, key, marker=True, size=0, digest="", **more)


def never(_key):
    raise AssertionError("the listing tells already")


def due(*versions, copied_from=lambda _key: ""):
    return [one.id for one in undeletion(versions, TO, copied_from).due]


@pytest.mark.parametrize(
    ("versions", "wanted"),
    [
        ([version("a", -60, latest=True)], []),  # as it was
        ([version("a", -60), marker("m", 60, latest=True)], ["a"]),  # deleted
        ([version("a", -60), version("x", 60, latest=True)], ["a"]),  # overwritten
        ([version("a", -60), version("b", -30), version("x", 60), marker("m", 61, latest=True)], ["b"]),
        ([version("a", -60), marker("m", -30, latest=True)], []),  # it was deleted before, by an expiry
        ([version("a", -60), marker("m", -30), version("x", 60, latest=True)], []),  # what came later stays
        ([version("x", 60, latest=True)], []),
        ([version("x", 60), marker("m", 61, latest=True)], []),
    ],
)
def test_what_was_current_at_the_moment_is_wanted(versions, wanted):
    assert due(*versions) == wanted
    assert due(*reversed(versions)) == wanted


@pytest.mark.parametrize(
    ("versions", "wanted"),
    [
        ([version("a", 0), marker("m", 60, latest=True)], ["a"]),
        ([version("a", 0.9), marker("m", 60, latest=True)], ["a"]),
        ([version("a", -60), marker("m", 0, latest=True)], ["a"]),  # in doubt it was there
        ([version("a", -60), marker("m", 0.5, latest=True)], ["a"]),
        ([version("a", 0), marker("m", 0, latest=True)], ["a"]),
        ([version("a", -1), marker("m", -1, latest=True)], []),
    ],
)
def test_within_one_second_an_object_was_there(versions, wanted):
    assert due(*versions) == wanted


@pytest.mark.parametrize(
    ("versions", "wanted"),
    [
        ([version("a", 60, WAL), marker("m", 90, WAL, latest=True)], ["a"]),
        ([version("a", 60, WAL), version("x", 90, WAL, latest=True)], ["a"]),  # as it was first written
        ([version("a", 60, WAL, latest=True)], []),
        ([version("a", -60, WAL), marker("m", -30, WAL, latest=True)], []),  # expired before
    ],
)
def test_wal_of_later_comes_back_too_or_there_would_be_a_gap(versions, wanted):
    assert due(*versions) == wanted


def test_the_lists_come_back_last():
    """With archive.info hosts go on to archive, and backup.info names files: those are there by then."""
    lists = [f"{FOLDER}/archive/health/archive.info", f"{FOLDER}/archive/health/archive.info.copy", LIST]
    versions = [version(key, -9, key) for key in (*lists, FILE, WAL)]
    versions += [marker(f"m{one.key}", 9, one.key, latest=True) for one in versions]
    assert due(*versions) == [WAL, FILE, *lists]


def test_a_copy_that_was_made_is_not_made_again():
    was = version("a", -60, digest="d")
    assert due(was, version("copy", 60, digest="d", latest=True), copied_from=never) == []
    in_parts = version("copy", 60, digest="other", latest=True)
    assert due(was, in_parts, copied_from=lambda _key: "a") == []
    assert due(was, in_parts, copied_from=lambda _key: "") == ["a"]
    assert due(was, version("copy", 60, size=2, latest=True), copied_from=never) == ["a"]  # nobody has to be asked


def test_it_is_told_which_backups_are_listed_then():
    def listed(label, seconds, *, gone=False):
        key = f"{FOLDER}/backup/health/{label}/backup.manifest"
        yield version(label, seconds, key, latest=not gone)
        if gone:
            yield marker(f"m{label}", 600, key, latest=True)

    full, incremental, later = "20261127-020000F", "20261127-020000F_20261128-020000I", "20261129-100000F"
    found = undeletion(
        [*listed(full, -90, gone=True), *listed(incremental, -60, gone=True), *listed(later, 60)], TO, never
    )
    assert found.backups == (full, incremental)
    assert found.unlisted == (later,)
    assert (len(found.due), found.done, found.later, found.size) == (2, 0, 1, 2)


@pytest.mark.parametrize("folder", ["/health-v1/0a1b/3", "/health-v1/0a1b"])
def test_a_folder_of_the_environment_is_its_own(folder):
    assert is_below(folder, "/health-v1")


@pytest.mark.parametrize(
    "folder", ["/health-v1", "/health-v1/", "/health-v12/0a", "/other", "", "/health-v1/../other", "/health-v1//x"]
)
def test_no_other_folder_is_touched(folder):
    with pytest.raises(Refused, match="not below /health-v1"):
        undeleting.refuse_outside(folder, S3(**BUCKET))


@pytest.mark.parametrize(
    ("text", "hour"),
    [
        ("2026-01-29 09:30:00", 9), ("2026-01-29T09:30:00Z", 9), ("2026-01-29 09:30:00 UTC", 9),
        ("2026-01-29T09:30:00+02:00", 7), ("2026-01-29 09:30", 9),
    ],
)  # fmt: skip
def test_a_time_is_one_of_utc_unless_it_says_otherwise(text, hour):
    assert undeleting.moment(text) == datetime(2026, 1, 29, hour, 30, tzinfo=timezone.utc)


@pytest.mark.parametrize(("text", "what"), [("yesterday", "It is no time"), ("2999-01-01 00:00:00", "yet to come")])
def test_a_time_has_been(text, what):
    with pytest.raises(Refused, match=what):
        undeleting.moment(text)


class Copies:
    """Makes versions current, or refuses those that it is told to."""

    place = "backups at s3.example.com"

    def __init__(self, versions=(), refused=()):
        self._versions, self._refused, self.made = versions, refused, []

    def versions(self, _folder):
        return self._versions

    def make_current(self, version):
        if version.id in self._refused:
            raise StorageError(Fault("backups", "The key is not allowed to.", ""))
        self.made.append(version.id)

    copied_from = staticmethod(never)


def deleted(*keys):
    versions = [version(key, -9, key) for key in keys]
    return [*versions, *(marker(f"m{key}", 9, key, latest=True) for key in keys)]


def test_while_a_file_is_missing_the_lists_are_not_brought_back():
    versions = deleted(FILE, WAL, LIST)
    bucket = Copies(versions, refused=(FILE,))
    copied, faults = undeleting.undelete(bucket, undeleting.look(bucket, FOLDER, TO), print)
    assert bucket.made == [WAL]
    assert (copied, [fault.what for fault in faults]) == (1, ["The key is not allowed to."])


def test_each_is_copied_once_and_progress_is_told():
    bucket = Copies(deleted(*(f"{FILE}{number}" for number in range(1001)), LIST))
    told = []
    copied, faults = undeleting.undelete(bucket, undeleting.look(bucket, FOLDER, TO), told.append)
    assert (copied, faults, bucket.made[-1]) == (1002, (), LIST)
    assert told == ["500 of 1002 objects are current again", "1000 of 1002 objects are current again"]


def test_when_all_are_refused_not_each_of_thousands_is_tried():
    keys = [f"{FILE}{number}" for number in range(5000)]
    bucket = Copies(deleted(*keys), refused=keys)
    tried = []
    bucket.make_current, refuse = lambda one: (tried.append(one), refuse(one)), bucket.make_current
    undeleting.undelete(bucket, undeleting.look(bucket, FOLDER, TO), print)
    assert len(tried) < 100


def test_a_folder_in_which_nothing_was_is_refused():
    with pytest.raises(Refused, match="Nothing ever was in"):
        undeleting.look(Copies(), FOLDER, TO)


def test_what_s3_cannot_copy_at_once_is_refused_ahead():
    large = [version("a", -9, size=LARGEST_COPY + 1), marker("m", 9, latest=True)]
    with pytest.raises(Refused, match="It has 5 GiB"):
        undeleting.look(Copies(large), FOLDER, TO)


def host(backup):
    return SimpleNamespace(name="host1", data={"backup": backup, "secrets": None})


@pytest.mark.parametrize(
    ("backup", "number", "what"),
    [
        (Backup(), 1, "has no repository"),
        (Backup(repository=S3(**BUCKET)), 2, "no such repository"),
        (Backup(repository=Directory(path="/mnt/backup")), 1, "keeps no versions"),
    ],
)
def test_only_a_bucket_keeps_versions(backup, number, what):
    with pytest.raises(Refused, match=what):
        undeleting.repository(host(backup), number, "production")


def test_what_a_thief_could_do_names_the_environment_and_a_lock_that_does_not_hold_is_a_finding():
    abilities = [{"verdict": "told", "sentence": "healthv1 backup undelete ENV --to TIME"}]
    exposed = [
        {"repository": 1, "folder": "/a", "locked": True, "faults": ["no lock"], "abilities": abilities},
        {"repository": 2, "folder": "/b", "locked": False, "faults": [], "abilities": []},
    ]
    found = checked("production", "host1", [], exposed)
    assert [(one.holds, one.evidence) for one in found.findings] == [(False, "no lock")]
    assert not found.holds
    assert "healthv1 backup check production" in found.findings[0].hint
    assert found.exposed[0].abilities[0]["sentence"] == "healthv1 backup undelete production --to TIME"


def undeleted(*versions, **more):
    return Undeleted(
        "production", "backups", "/health-v1/0a1b/3", f"{TO:%F %T} UTC", undeletion(versions, TO, str), **more
    )


def manifest(label, seconds, **more):
    return version(label, seconds, f"{FOLDER}/backup/health/{label}/backup.manifest", **more)


def test_what_would_come_back_is_shown_first(capsys):
    label, later = "20261128-020000F", "20261129-100000F"
    cli._preview(undeleted(manifest(label, -60, size=2048), marker("m", 60, manifest(label, 0).key, latest=True)))
    assert capsys.readouterr().out.splitlines() == [
        "backups/health-v1/0a1b/3, as it was at 2026-11-29 09:00:00 UTC:",
        "  to make current again: 1 object (2.0 KiB)",
        "  as it was: 0 objects; of later, and stays: 0",
        "  the newest backup is then 20261128-020000F",
    ]
    cli._preview(undeleted(manifest(later, 60, latest=True), manifest(label, -60, latest=True)))
    shown = capsys.readouterr().out
    assert f"! 1 backup of later would not be listed any more:\n  {later}; give a later TIME to keep them" in shown
    cli._preview(undeleted(version("a", -60, latest=True)))
    assert "the newest backup is then none: no backup was there at that time" in capsys.readouterr().out


def test_the_next_command_goes_on_with_what_failed(capsys):
    result = undeleted(*deleted(FILE, LIST), copied=1, faults=(Fault("backups", "It answers SlowDown.", "try again"),))
    cli._show_undeleted(result, 2, dry_run=False)
    shown = capsys.readouterr()
    assert "Current again: 1 of 2 objects." in shown.out
    said = "--repo=2 --folder=/health-v1/0a1b/3 '--to=2026-11-29 09:00:00 UTC': it goes on"
    assert f"Next: healthv1 backup undelete production {said}" in shown.out
    assert undeleting.moment("2026-01-29 09:00:00 UTC").hour == 9


def test_a_thiefs_abilities_are_told_apart():
    abilities = [{"verdict": verdict, "sentence": f"{verdict}."} for verdict in ("bad", "well", "unknown", "told")]
    exposed = [{"repository": 1, "folder": "/a", "locked": False, "faults": [], "abilities": abilities}]
    assert list(cli._exposure(checked("production", "db1", [], exposed))) == [
        "A thief of db1's key, in repository 1 (/a):",
        "    ! bad.",
        "    ✓ well.",
        "    ? unknown.",
        "    · told.",
    ]
