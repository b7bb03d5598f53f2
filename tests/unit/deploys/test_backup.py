"""The settings of backups, the files that come of them, and the program as it is installed."""

import json
import subprocess
from contextlib import nullcontext

import pytest
from pyinfra.context import ctx_host

from deploys import archiving, paths
from deploys.archiving import Archiving
from deploys.backup.checks import checks
from deploys.backup.configuration import (
    bucket_settings,
    credentials_file,
    pgbackrest_file,
    program_file,
    repository_folder,
    repository_place,
)
from deploys.backup.deploy import archiving_here
from deploys.backup.settings import S3, Backup, Directory, calendar, longest_pause
from deploys.cluster import Cluster
from deploys.component import program_files
from deploys.facts.marks import Marks
from deploys.faults import Refused
from deploys.operations.program import _archive, _is_whole, folder_of, program
from deploys.secret import Secret, Version
from deploys.stack import Stack
from healthv1_backup.checking import CLAIMS
from healthv1_backup.settings import MARK, METRICS, STATE, load
from tests.unit.asked import Host

BUCKET = {"bucket": "backups", "endpoint": "s3.example.com", "region": "eu-1"}
CLUSTER = Cluster(17, 5432)
STACK = Stack(domain="api.example.com")


class Kept:
    def __init__(self, **values):
        self._values = values

    def versions(self, secret):
        return (Version(3, self._values[secret.key]),)


def bound(settings, **values):
    kept = {"backup_passphrase": "the passphrase", "backup_credentials": "KEY:the secret".replace(" ", "-")}
    return settings.bind(Kept(**(kept | values)))


@pytest.mark.parametrize("text", ["Sunday 02:00", "daily", "02:00", "Sun 24:00", "daily 2:00", "*-*-* 02:00"])
def test_a_schedule_is_days_and_a_time(text):
    with pytest.raises(Refused, match="give days and a time"):
        Backup(full=text)


def test_a_schedule_is_a_calendar_of_systemd():
    assert calendar("daily 02:00") == "*-*-* 02:00:00 UTC"
    assert calendar("Mon,Thu 03:30") == "Mon,Thu *-*-* 03:30:00 UTC"
    for schedule in ("daily 02:00", "Mon,Thu 03:30"):
        subprocess.run(["systemd-analyze", "calendar", calendar(schedule)], check=True, capture_output=True)


@pytest.mark.parametrize(
    ("schedules", "days"),
    [(("Sun 02:00", "daily 02:00"), 1), (("Sun 02:00", "Wed 02:00"), 4), (("Sun 02:00", "Sun 04:00"), 7)],
)
def test_the_longest_pause_follows_from_the_schedules(schedules, days):
    assert longest_pause(*schedules) == days * 86_400


def test_nothing_can_be_off_and_on():
    with pytest.raises(Refused, match="a repository is set as well"):
        Backup(repository=S3(**BUCKET), off="the provider does it")


def test_a_second_repository_needs_a_first_and_credentials_of_its_own():
    with pytest.raises(Refused, match="needs a first"):
        Backup(second=S3(**BUCKET))
    with pytest.raises(Refused, match="credentials of its own"):
        Backup(repository=S3(**BUCKET), second=S3(**BUCKET))
    Backup(repository=S3(**BUCKET), second=Directory(path="/mnt/backup"))


def test_a_host_without_a_repository_needs_no_secret():
    assert Backup().secrets() == ()
    assert [secret.key for secret in Backup(repository=S3(**BUCKET)).secrets()] == [
        "backup_passphrase",
        "backup_credentials",
    ]


def test_what_restores_is_in_escrow():
    assert all(secret.belongs_in_escrow for secret in Backup(repository=S3(**BUCKET)).secrets())


def test_secrets_within_settings_are_bound():
    backup = bound(Backup(repository=S3(**BUCKET)))
    assert backup.repository.credentials.reveal() == "KEY:the-secret"


def test_no_secret_is_in_the_configuration():
    backup = bound(Backup(repository=S3(**BUCKET), second=Directory(path="/mnt/backup")))
    text = pgbackrest_file(backup, CLUSTER, "0a1b", 3) + program_file(backup, CLUSTER, STACK, "0a1b", 3)
    assert "the passphrase" not in text
    assert "the-secret" not in text


def test_each_passphrase_and_each_host_has_a_folder_of_its_own():
    backup = bound(Backup(repository=S3(**BUCKET), second=Directory(path="/mnt/backup")))
    lines = pgbackrest_file(backup, CLUSTER, "0a1b", 3).splitlines()
    assert "repo1-path=/health-v1/0a1b/3" in lines
    assert "repo2-path=/mnt/backup/0a1b/3" in lines
    assert "repo2-type=posix" in lines


def test_nothing_leaves_unencrypted_and_no_wal_is_dropped():
    backup = bound(Backup(repository=S3(**BUCKET), second=Directory(path="/mnt/backup")))
    lines = pgbackrest_file(backup, CLUSTER, "0a1b", 3).splitlines()
    assert "repo1-cipher-type=aes-256-cbc" in lines
    assert "repo2-cipher-type=aes-256-cbc" in lines
    assert "queue-max" not in "".join(lines)  # it drops WAL, and says that it was archived


def test_an_older_pgbackrest_is_not_told_of_blocks():
    assert "repo1-block=y" in pgbackrest_file(bound(Backup(repository=S3(**BUCKET))), CLUSTER, "0a1b", 3)
    assert "block" not in pgbackrest_file(bound(Backup(repository=S3(**BUCKET))), Cluster(15, 5432), "0a1b", 3)


def test_the_stanza_and_the_paths_are_the_clusters_own():
    text = pgbackrest_file(bound(Backup(repository=S3(**BUCKET))), Cluster(17, 5433, "main"), "0a1b", 3)
    assert text.endswith("[main]\npg1-path=/var/lib/postgresql/17/main\npg1-port=5433\n")
    assert "--stanza=main archive-push" in Archiving("main", 60).parameters()["archive_command"]


def test_the_keys_are_in_the_secret_file():
    lines = credentials_file(bound(Backup(repository=S3(**BUCKET)))).splitlines()
    assert lines[2:] == ["repo1-cipher-pass=the passphrase", "repo1-s3-key=KEY", "repo1-s3-key-secret=the-secret"]


@pytest.mark.parametrize("value", ["AKID", "AKID:", ":s3cret", "AKID:s3 cret", "AKID:s3cret\nrepo1-path=/"])
def test_credentials_are_a_key_and_its_secret_on_one_line(value):
    backup = bound(Backup(repository=S3(**BUCKET)), backup_credentials=value)
    with pytest.raises(Refused, match="colon between them") as refused:
        credentials_file(backup)
    assert value not in str(refused.value)


def test_our_program_reads_what_is_written_for_it(tmp_path):
    backup = bound(Backup(repository=S3(**BUCKET), second=Directory(path="/mnt/backup")))
    (tmp_path / "backup.json").write_text(program_file(backup, CLUSTER, STACK, "0a1b", 3))
    settings = load(tmp_path / "backup.json")
    assert settings.repositories == ("/health-v1/0a1b/3", "/mnt/backup/0a1b/3")
    assert settings.directories == ("/mnt/backup",)
    assert settings.longest_pause == 86_400
    assert settings.places == ("s3.example.com/backups/health-v1/0a1b/3", "/mnt/backup/0a1b/3")
    assert settings.locked == ()


def test_our_program_reaches_the_bucket_as_pgbackrest_does_and_knows_no_key():
    at = {**BUCKET, "endpoint": "s3.test:8333", "style": "path", "certificates": "-----BEGIN CERTIFICATE-----"}
    told = bucket_settings(2, S3(**at, locked=True))
    assert told == {**at, "certificates": "/etc/health-v1/backup-2.pem", "locked": True}
    assert bucket_settings(1, S3(**BUCKET))["certificates"] == ""
    assert bucket_settings(1, Directory(path="/mnt/backup")) is None


def test_only_a_bucket_that_is_said_to_be_locked_is_claimed_to_be():
    claims = [{check.claim for check in checks((), locked=locked)} for locked in (False, True)]
    assert claims[1] - claims[0] == {"What the host's key deletes in the bucket can be brought back"}
    assert Backup(repository=S3(**BUCKET, locked=True)).is_locked
    assert not Backup(repository=S3(**BUCKET)).is_locked


def test_the_same_folder_in_another_bucket_is_another_place():
    first, second = S3(**BUCKET), S3(**{**BUCKET, "bucket": "other"})
    assert repository_folder(first, "0a1b", 3) == repository_folder(second, "0a1b", 3)
    assert repository_place(first, "0a1b", 3) != repository_place(second, "0a1b", 3)


def test_our_program_and_the_deploy_name_the_same_places(tmp_path):
    (tmp_path / "backup.json").write_text(
        program_file(bound(Backup(repository=S3(**BUCKET))), CLUSTER, STACK, "0a1b", 3)
    )
    assert (str(STATE), str(METRICS)) == (paths.BACKUP, paths.METRICS)
    assert str(MARK) == f"{paths.MARKS}/backup"
    assert " ".join(load(tmp_path / "backup.json").pgbackrest) == archiving.PGBACKREST


@pytest.mark.parametrize(("version", "refused"), [(14, True), (15, False)])
def test_a_pgbackrest_that_cannot_read_back_is_refused_ahead(version, refused):
    ctx_host.set(Host({Marks: {}}))
    try:
        with pytest.raises(Refused, match="too old") if refused else nullcontext():
            archiving_here(bound(Backup(repository=S3(**BUCKET))), Cluster(version, 5432), require_escrow=False)
    finally:
        ctx_host.reset()


def test_the_host_and_verify_claim_the_same_in_the_same_words():
    claims = {check.claim for check in checks((), locked=True)}
    assert {claim for claim, _ in CLAIMS.values()} <= claims


FORMER, OTHERS = "backup-0123456789ab", {"backup-of-the-owner", "backup-notes", "backup-0123456789ag"}


@pytest.fixture
def place(tmp_path):
    for name in (FORMER, *OTHERS):
        (tmp_path / name).mkdir()
    return tmp_path / "backup"


def installed(converge, path):
    """What came of the program's installation, and what lies there."""
    run = converge(lambda: program(name="Install", path=str(path), files=lambda: {"a.py": "1\n"}))
    return run, {entry.name for entry in path.parent.iterdir()}


def test_a_program_removes_its_own_former_folders_and_nothing_else(converge, place):
    place.symlink_to(place.parent / FORMER)
    run, there = installed(converge, place)
    assert run.faults == ()
    assert (place / "a.py").read_text() == "1\n"
    assert there > OTHERS
    assert FORMER not in there
    assert installed(converge, place)[0].made == []


@pytest.mark.parametrize("target", ["", "somewhere-of-his"])
def test_what_the_owner_has_in_the_programs_place_is_refused(converge, place, target):
    if target:
        place.symlink_to(place.parent / target)
    else:
        place.write_text("his")
    run, there = installed(converge, place)
    assert "the host's owner" in str(run.faults)
    assert there == {"backup", FORMER, *OTHERS}


def test_the_program_is_installed_as_it_stands_in_the_templates():
    files = program_files("backup")()
    assert "__main__.py" in files
    assert "healthv1_backup/command.py" in files
    assert all(name.endswith(".py") for name in files)


def test_a_changed_program_lies_in_another_folder_and_a_changed_file_is_noticed(tmp_path):
    files = {"a.py": "1\n", "b/c.py": "2\n"}
    assert folder_of("/x", files) != folder_of("/x", files | {"a.py": "3\n"})
    assert _archive(files) == _archive(dict(reversed(files.items())))
    (tmp_path / "b").mkdir()
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    assert _holds(_is_whole(str(tmp_path), files))
    (tmp_path / "b/c.py").write_text("changed\n")
    assert not _holds(_is_whole(str(tmp_path), files))
    (tmp_path / "b/c.py").unlink()
    assert not _holds(_is_whole(str(tmp_path), files))


def _holds(test):
    return subprocess.run(["sh", "-c", test], capture_output=True, check=False).returncode == 0


def test_a_bucket_is_named_whole():
    with pytest.raises(Refused, match="bucket"):
        S3(**{**BUCKET, "bucket": "x"})
    with pytest.raises(Refused, match="endpoint"):
        S3(**{**BUCKET, "endpoint": "https://s3.example.com"})
    with pytest.raises(Refused, match="PEM"):
        S3(**BUCKET, certificates="/etc/ssl/ca.pem")


READER = Secret("backup_read_credentials")


def test_drills_get_a_key_that_reads_and_no_other():
    reads = bound(
        Backup(repository=S3(**BUCKET, read_credentials=READER)), backup_read_credentials="READER:another-secret"
    )
    text = credentials_file(reads.with_one_key(reader=True))
    assert "repo1-s3-key=READER\nrepo1-s3-key-secret=another-secret" in text
    assert "the-secret" not in text
    assert "READER" not in credentials_file(reads)
    keys = [secret.key for secret in reads.with_one_key(reader=True).secrets()]
    assert keys == ["backup_passphrase", "backup_read_credentials"]
    assert all(secret.belongs_in_escrow for secret in reads.secrets())


def test_without_a_key_of_their_own_drills_use_the_hosts():
    plain = bound(Backup(repository=S3(**BUCKET), second=Directory(path="/mnt/backup")))
    assert credentials_file(plain.with_one_key(reader=True)) == credentials_file(plain)
    assert not plain.has_reader


def test_the_key_that_reads_is_another_one():
    with pytest.raises(Refused, match="it is the key that writes"):
        S3(**BUCKET, read_credentials=Secret("backup_credentials"))


def test_drills_on_the_databases_host_know_where_their_keys_are():
    for reader, place in ((READER, "/etc/health-v1/pgbackrest-read.d"), (None, "")):
        settings = bound(Backup(repository=S3(**BUCKET, read_credentials=reader)))
        assert json.loads(program_file(settings, CLUSTER, STACK, "0a1b", 3))["reading_keys"] == place
