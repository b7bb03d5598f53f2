"""What the host tries on its bucket, and the sentences about a thief of its key."""

import time
from dataclasses import fields, replace
from types import SimpleNamespace

import pytest

from healthv1_backup import exposure, locking, notes
from healthv1_backup.bucket import Answer, Bucket
from healthv1_backup.exposure import BAD, TOLD, UNKNOWN, WELL
from healthv1_backup.locking import PROBE, Lock, Probe, probe_key
from healthv1_backup.settings import Settings

DAY = 86_400
FOLDER = "/health-v1/0a1b/3"
LOCKED = Probe("v1", "COMPLIANCE", 1_000_000, 1_000_000 + 30 * DAY)
XML = b'<R xmlns="urn:s3"><Status>Enabled</Status><Name>a</Name><Name>b</Name></R>'


class Server:
    """Answers requests from a table, and keeps what it was asked. What it is not told of it refuses."""

    name = "ours"

    def __init__(self, **answers):
        self._answers, self.asked = answers, []

    def ask(self, method, key="", query=None, headers=None, body=b""):
        words = "_".join([method, *(query or {})]).replace("-", "_")
        self.asked.append((method, key, tuple(query or ()), tuple(headers or ()), body))
        status, headers, text = self._answers.get(words, (403, {}, b""))
        return Answer(status, headers, text)

    def ask_server(self):
        return self.ask("SERVER")

    def beside(self, name):
        return SimpleNamespace(ask=lambda *_words, **_more: Answer(200 if name == "open" else 403, {}, b""))


def headers(*, days=30, written=None, mode="COMPLIANCE"):
    written = time.time() if written is None else written
    stamp = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(written))
    until = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(written + days * DAY))
    lock = {"x-amz-object-lock-mode": mode, "x-amz-object-lock-retain-until-date": until} if mode else {}
    return {"x-amz-version-id": "v1", "last-modified": stamp, **lock}


VERSIONED = (200, {}, XML)


@pytest.fixture
def settings(tmp_path, monkeypatch):
    monkeypatch.setattr(notes.read, "__defaults__", (tmp_path,))
    monkeypatch.setattr(notes.write, "__defaults__", (tmp_path,))
    values = dict.fromkeys((field.name for field in fields(Settings)), "")
    return Settings(**values | {"repositories": (FOLDER,), "keep_days": 30, "buckets": (), "places": ()})


def sentences(abilities, verdict):
    return [one.sentence for one in abilities if one.verdict == verdict]


def test_the_probe_lies_beside_what_pgbackrest_keeps():
    assert probe_key(FOLDER) == f"health-v1/0a1b/{PROBE}"


def test_a_version_that_the_key_may_not_delete_is_kept():
    server = Server(GET_versioning=VERSIONED, HEAD=(200, headers(), b""))
    lock = locking.tried(server, FOLDER)
    assert lock.faults() == []
    assert lock.probe.days == 30
    assert [words for words in server.asked if words[0] == "PUT"] == []  # it was there
    bypassing = [words[3] for words in server.asked if words[0] == "DELETE"]
    assert bypassing == [(), ("x-amz-bypass-governance-retention",)]


def test_a_version_that_the_key_deleted_is_told_of():
    server = Server(GET_versioning=VERSIONED, HEAD=(200, headers(), b""), DELETE_versionId=(204, {}, b""))
    (fault,) = locking.tried(server, FOLDER).faults()
    assert fault.startswith("the host's key deleted a version for good")
    assert [words[1] for words in server.asked if words[0] == "DELETE"] == [f"health-v1/0a1b/{PROBE}"]


@pytest.mark.parametrize(
    ("found", "is_written"),
    [
        (headers(), False),
        (headers(days=30, written=time.time() - 30 * DAY), True),  # its lock ends
        (headers(mode=""), False),
        (headers(mode="", written=time.time() - 2 * DAY), True),
        ({}, True),
    ],
)
def test_the_probe_is_written_anew_only_when_its_lock_ends(found, is_written):
    server = Server(GET_versioning=VERSIONED, HEAD=(200 if found else 404, found or {}, b""), PUT=(200, {}, b""))
    if found:
        locking.tried(server, FOLDER)
    else:
        with pytest.raises(locking.Failed, match="cannot be seen"):
            locking.tried(server, FOLDER)
    assert ("PUT" in [words[0] for words in server.asked]) is is_written


@pytest.mark.parametrize(
    ("lock", "fault"),
    [
        (Lock(False, LOCKED), "keeps no versions"),
        (Lock(True, LOCKED, deleted=True, bypassed=True), "a right to bypass the lock"),
        (Lock(True, Probe("v1", "", 1, 0)), "nothing locks what is written there"),
        (Lock(True, LOCKED, unclear="405 MethodNotAllowed"), "neither done nor refused"),
    ],
)
def test_what_is_wrong_with_a_bucket_is_said(lock, fault):
    assert not lock.holds
    assert fault in "; ".join(lock.faults())


def test_without_versions_nothing_is_written_and_nothing_deleted():
    server = Server(GET_versioning=(200, {}, b"<VersioningConfiguration/>"))
    assert not locking.tried(server, FOLDER).versioned
    assert [words[0] for words in server.asked] == ["GET"]


def test_a_bucket_that_cannot_be_asked_is_not_said_to_hold(settings, monkeypatch, tmp_path):
    keys = tmp_path / "keys"
    keys.write_text("repo1-s3-key=K\nrepo1-s3-key-secret=S\n")
    monkeypatch.setattr("healthv1_backup.bucket.CREDENTIALS", keys)
    at = {"bucket": "b", "endpoint": "127.0.0.1:1", "region": "eu-1", "style": "path", "certificates": ""}
    unreachable = Settings(**{**vars(settings), "buckets": ({**at, "locked": True},)})
    (fault,) = locking.failing(unreachable)
    assert "could not be tried: 127.0.0.1:1 does not answer" in fault
    (found,) = exposure.exposed(unreachable)
    assert "could not be tried" in found["faults"][0]
    assert locking.failing(Settings(**{**vars(settings), "buckets": ({**at, "locked": False},)})) == []


def test_settings_of_a_bucket_are_written_back_as_they_were_read():
    server = Server(
        GET_object_lock=(200, {}, b"<a/>"),
        PUT_object_lock=(200, {}, b""),
        GET_lifecycle=(200, {}, b"<b/>"),
        GET_policy=(404, {}, b""),
    )
    abilities = list(exposure.changing(server))
    assert [words[4] for words in server.asked if words[0] == "PUT"] == [b"<a/>", b"<b/>"]
    assert sentences(abilities, BAD)[0].startswith("Changes the lock's settings")
    assert sentences(abilities, WELL) == ["Cannot change the rules that remove old versions."]
    assert "was not tried: there are none to write back" in sentences(abilities, UNKNOWN)[0]


def test_nothing_of_a_bucket_is_changed_that_cannot_be_read():
    server = Server()
    assert sentences(exposure.changing(server), WELL)
    assert {words[0] for words in server.asked} == {"GET"}


@pytest.mark.parametrize(
    ("status", "days", "verdict", "words"),
    [
        (403, 1, WELL, "Cannot delete versions either when their lock has ended, after 1 day."),
        (204, 30, WELL, "no backup is that old"),
        (204, 7, BAD, "more than 7 days ago: backups are kept for 30 days, and locked for 7. Lock for 30 days or more"),
        (500, 7, UNKNOWN, "is not known"),
    ],
)
def test_a_lock_that_ends_before_the_backups_do_is_told_of(settings, status, days, verdict, words):
    server = Server(DELETE=(204, {"x-amz-version-id": "m1"}, b""), DELETE_versionId=(status, {}, b""))
    lock = Lock(True, Probe("v1", "COMPLIANCE", 0, days * DAY))
    (ability,) = exposure._forever(server, FOLDER, lock, settings)
    assert ability.verdict == verdict
    assert words in ability.sentence


def test_a_marker_that_cannot_be_deleted_is_tried_again_and_no_other_is_made(settings):
    server = Server(DELETE=(204, {"x-amz-version-id": "m1"}, b""))
    assert exposure.deletes_unlocked(server, "k") is False
    assert exposure.deletes_unlocked(server, "k") is False
    assert [words[2] for words in server.asked] == [(), ("versionId",), ("versionId",)]


@pytest.mark.parametrize(("names", "verdict"), [("ours", WELL), ("ours shut", WELL), ("ours open", BAD)])
def test_other_buckets_are_tried(names, verdict):
    listed = "".join(f"<Name>{name}</Name>" for name in names.split())
    server = Server(SERVER=(200, {}, f"<L>{listed}</L>".encode()))
    (ability,) = exposure._elsewhere(server)
    assert ability.verdict == verdict


def test_a_folder_on_the_host_is_told_of(settings):
    (found,) = exposure.exposed(settings)
    assert found["abilities"][0]["verdict"] == TOLD
    assert found["faults"] == []


def test_a_request_is_signed_as_amazon_documents_it():
    """The example "GET Bucket Lifecycle" of "Authenticating Requests: Using the Authorization Header"."""
    bucket = Bucket("examplebucket", "s3.amazonaws.com", "us-east-1", "host", "", "AKIAIOSFODNN7EXAMPLE",
                    "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")  # fmt: skip
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    now = time.strptime("20130524T000000Z", "%Y%m%dT%H%M%SZ")
    host, path = bucket._address("")
    signed = bucket._signed("GET", host, path, "lifecycle=", {}, empty, now)
    assert (host, path) == ("examplebucket.s3.amazonaws.com", "/")
    assert signed["authorization"].endswith("fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543")
    assert "wJalr" not in repr(bucket)


def test_in_the_style_of_paths_the_bucket_is_part_of_the_path():
    assert Bucket("b", "s3.test:8333", "r", "path", "", "k", "s")._address("a b/c") == ("s3.test:8333", "/b/a%20b/c")


def test_answers_are_read_whatever_they_are():
    assert Answer(200, {}, XML).values("Name") == ["a", "b"]
    for body in (b"", b"{}", b"<unclosed"):
        assert Answer(500, {}, body).values("Name") == []
    assert Answer(405, {}, b"<Error><Code>MethodNotAllowed</Code></Error>").why == "405 MethodNotAllowed"


@pytest.mark.parametrize(
    ("status", "verdict", "words"),
    [(403, WELL, "cannot write"), (200, BAD, "writes too"), (500, UNKNOWN, "is not known (500)")],
)
def test_the_key_of_drills_is_tried_on_writing(settings, monkeypatch, status, verdict, words):
    reader, host = Server(PUT=(status, {}, b"")), Server(DELETE=(204, {}, b""))
    reader.key, host.key = "READER", "HOST"
    monkeypatch.setattr(Bucket, "of", lambda *_words: reader)
    (told,) = exposure._of_drills(host, replace(settings, reading_keys="/etc/r.d"), 1)
    assert (told.verdict, words in told.sentence) == (verdict, True)
    assert [asked[:2] for asked in reader.asked] == [("PUT", f"health-v1/0a1b/{PROBE}-drill")]
    assert len(host.asked) == (status == 200)  # what should not have been written goes


def test_drills_that_use_the_hosts_key_are_told(settings):
    host = SimpleNamespace(key="HOST")
    (told,) = exposure._of_drills(host, settings, 1)
    assert (told.verdict, "use the same key" in told.sentence) == (TOLD, True)
