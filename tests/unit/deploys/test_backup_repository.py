"""What pgBackRest says of a repository, and what it does not say: gaps in the WAL are ours to find."""

import json

import pytest

from healthv1_backup.continuity import Segment, gaps, segments
from healthv1_backup.processes import Failed
from healthv1_backup.repository import explained, missing_wal, read_info, read_verification

WELL = """stanza: health
status: ok
  archiveId: 17-1, total WAL checked: 20, total valid WAL: 20
    missing: 0, checksum invalid: 0, size invalid: 0, other: 0
  backup: 20261129-085855F, status: valid, total files checked: 1563, total valid files: 1563
    missing: 0, checksum invalid: 0, size invalid: 0, other: 0
"""


def archive(*numbers, timeline=1):
    return [Segment(timeline, number) for number in numbers]


def test_a_file_is_a_segment_by_its_name_alone():
    names = [
        "17-1/0000000100000000/000000010000000000000003-491b472f1c7bdfa9e9108f90b5dd6eeb7e31dc3c.zst",
        "17-1/0000000100000000/000000010000000000000002-491b472f1c7bdfa9e9108f90b5dd6eeb7e31dc3c",
        "17-1/0000000100000000/000000010000000000000004.partial-491b472f1c7bdfa9e9108f90b5dd6eeb7e31dc3c.zst",
        "17-1/0000000100000000/000000010000000000000003.00000028.backup",
        "17-1/00000002.history",
        "archive.info",
        "17-1",
    ]
    assert segments(names) == archive(2, 3)


def test_after_the_last_segment_of_a_log_comes_the_next_log():
    of_one, next_one = Segment.named("0000000100000000000000FF"), Segment.named("000000010000000100000000")
    assert gaps([of_one, next_one], {1: of_one.number}) == []
    assert str(next_one) == "000000010000000100000000"


@pytest.mark.parametrize(
    ("present", "first", "missing"),
    [
        ((3, 4, 5), 3, []),
        ((2, 3, 4, 5), 3, []),
        ((1, 3, 4), 3, []),
        ((3, 5), 3, ["000000010000000000000004"]),
        ((3, 4, 8, 10), 3, ["000000010000000000000005 to 000000010000000000000007", "000000010000000000000009"]),
        ((4, 5), 3, ["000000010000000000000003"]),
        ((), 3, ["000000010000000000000003"]),
        ((1, 2), 3, ["000000010000000000000003"]),
    ],
)
def test_each_gap_is_named(present, first, missing):
    assert [str(gap) for gap in gaps(archive(*present), {1: first})] == missing


def test_each_timeline_has_to_be_whole():
    both = [*archive(3, 4), *archive(4, 6, timeline=2)]
    assert [str(gap) for gap in gaps(both, {1: 3})] == ["000000020000000000000005"]


def test_wal_is_needed_from_the_oldest_backup_on():
    kept = read_info(info(backup("A", 9), backup("B", 5)))
    assert missing_wal(kept, archive(5, 6, 7, 8, 9)) == []
    assert [str(gap) for gap in missing_wal(kept, archive(6, 7, 8, 9))] == ["000000010000000000000005"]


def backup(label, segment, *, stopped=100, error=False):
    return {
        "label": label,
        "type": "full",
        "timestamp": {"start": stopped - 3, "stop": stopped},
        "info": {"size": 10, "repository": {"delta": 4, "size-map": 1}},
        "archive": {"start": str(Segment(1, segment)), "stop": str(Segment(1, segment))},
        "error": error,
    }


def info(*backups, code=0, message="ok", repository="ok"):
    status = {"code": code, "message": message}
    return json.dumps([{"backup": list(backups), "status": status, "repo": [{"status": {"message": repository}}]}])


def test_the_newest_backup_is_the_last_one():
    kept = read_info(info(backup("B", 5, stopped=200), backup("A", 4, stopped=100, error=True)))
    assert [(entry.label, entry.failed) for entry in kept] == [("A", True), ("B", False)]


def test_a_new_repository_has_no_backup_and_no_fault():
    assert read_info(info(code=2, message="no valid backups")) == []


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("[]", "nothing is there"),
        ("", "nothing is there"),
        ("WARN: what", "answers in another way"),
        (info(code=1, message="missing stanza path"), "it is empty"),
        (info(code=99, message="other", repository="[CryptoError] unable to flush"), "our passphrase does not open it"),
        (info(code=99, message="other", repository="HTTP request failed with 403 (Forbidden)"), "it refuses our keys"),
        (info(code=99, message="other", repository="a line\n\x1b[31mand another"), "it cannot be read: a line [31mand"),
    ],
)
def test_what_is_wrong_with_a_repository_is_said_in_our_words(text, what):
    with pytest.raises(Failed, match=what.replace("[", r"\[")):
        read_info(text)


def test_a_repository_is_whole_when_verify_says_so():
    assert read_verification(0, WELL, "") == []


@pytest.mark.parametrize(
    ("output", "what"),
    [
        ("", "reading it back did not end well: pgBackRest said nothing"),  # of a good one it says nothing, too
        (WELL.replace("status: ok", "status: error"), "reading it back did not end well"),
        (WELL.replace("status: valid", "status: invalid"), "backup 20261129-085855F is invalid"),
        (WELL.replace("total valid WAL: 20", "total valid WAL: 19"), "1 of 20 WAL segments cannot be read back"),
        ("stanza: health\nstatus: error\n  No usable backup.info file\n", "No usable backup.info file"),
    ],
)
def test_anything_else_is_a_fault(output, what):
    assert what in read_verification(0, output, "")[0]


def test_a_fault_tells_how_many_files_it_is_about():
    valid, missing = "valid, total files checked: 1563, total valid files: 1563\n    missing: 0", "missing: 550"
    bad = WELL.replace(valid, f"invalid, total files checked: 1563, total valid files: 1013\n    {missing}")
    assert read_verification(0, bad, "") == ["backup 20261129-085855F is invalid (files: 550 missing)"]


def test_an_exit_code_is_a_fault_as_well():
    assert read_verification(82, WELL, "ERROR: [082]: timeout") == [
        "reading it back did not end well: ERROR: [082]: timeout"
    ]


def test_a_certificate_is_told_from_a_key():
    assert "not trusted" in explained("unable to find hostname '10.0.0.1' in certificate common name")
