"""Where a restore can go, and from which backup: decided before anything is written."""

import pytest

from healthv1_backup import targets
from healthv1_backup.processes import Failed
from healthv1_backup.repository import KeptBackup
from healthv1_backup.targets import Asked

HALF_PAST_EIGHT = 1795941000.0  # 2026-11-29 08:30 UTC
MARKS = {"before-0009": {"name": "before-0009", "position": "0/9000000", "at": 1795940000}}


@pytest.mark.parametrize("text", ["", "latest", " latest "])
def test_nothing_and_latest_are_the_latest_moment(text):
    assert targets.parse(text, {}) == Asked("latest")


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-29T08:30:00Z",
        "2026-11-29T08:30Z",
        "2026-11-29 09:30:00+01:00",
        "2026-11-29T09:30:00+01",
        "2026-11-29T03:30-05:00",
    ],
)
def test_a_time_with_a_zone_is_that_moment(text):
    asked = targets.parse(text, {})
    assert (asked.kind, asked.moment, asked.told) == ("time", HALF_PAST_EIGHT, "")
    assert asked.value == "2026-11-29 08:30:00.000000+00"


def test_a_time_without_a_zone_is_utc_and_that_is_told():
    asked = targets.parse("2026-11-29 08:30", {})
    assert asked.moment == HALF_PAST_EIGHT
    assert asked.told == "2026-11-29 08:30 is taken as UTC"


@pytest.mark.parametrize("text", ["2026-11-29", "2026-11-29T25:00Z", "2026-13-01T08:30Z", "yesterday!", "8 o'clock"])
def test_what_is_no_target_is_refused(text):
    with pytest.raises(Failed):
        targets.parse(text, {})


def test_a_restore_point_of_ours_has_its_moment_and_another_name_is_handed_over():
    assert targets.parse("before-0009", MARKS) == Asked("name", "before-0009", 1795940000.0)
    other = targets.parse("somebodys", MARKS)
    assert (other.kind, other.moment) == ("name", None)
    assert "no restore point that was made on this host" in other.told


def test_a_position_is_one_in_the_wal():
    assert targets.parse("1a/2b000000", {}) == Asked("lsn", "1A/2B000000")
    assert targets.position("1/0") == 1 << 32


def test_what_has_not_come_is_refused():
    with pytest.raises(targets.NotYet, match="has not come"):
        targets.refuse_future(Asked("time", "…", HALF_PAST_EIGHT + 1), HALF_PAST_EIGHT)
    targets.refuse_future(Asked("time", "…", HALF_PAST_EIGHT), HALF_PAST_EIGHT)
    with pytest.raises(targets.NotYet, match="has not been written"):
        targets.refuse_future(Asked("lsn", "0/2000000"), 0, "0/1000000")
    targets.refuse_future(Asked("lsn", "0/2000000"), 0, "")


def kept(label, stopped, position, timeline=1):
    segment = f"{timeline:08X}00000000{targets.position(position) >> 24:08X}"
    return KeptBackup(label, "full", stopped - 10, stopped, 1, 1, segment, segment, failed=False, position=position)


FIRST, SECOND = kept("first", 1000, "0/5000000"), kept("second", 2000, "0/9000000")


@pytest.mark.parametrize(
    ("asked", "label"),
    [
        (Asked("latest"), "second"),
        (Asked("time", "…", 2001), "second"),
        (Asked("time", "…", 2000), "first"),  # a backup is consistent at its end, not before
        (Asked("name", "mark", 1500.0), "first"),
        (Asked("name", "unknown"), "second"),
        (Asked("lsn", "0/8FFFFFF"), "first"),
        (Asked("lsn", "0/9000000"), "second"),
    ],
)
def test_the_newest_backup_before_the_target_is_chosen(asked, label):
    assert targets.choose([SECOND, FIRST], asked, 1, {}).label == label


def test_what_is_before_the_first_backup_is_refused_with_its_time():
    with pytest.raises(targets.BeforeFirst, match="the oldest one ended 1970-01-01 00:16:40 UTC"):
        targets.choose([FIRST, SECOND], Asked("time", "…", 999), 1, {})
    with pytest.raises(targets.Unreachable, match="there is no backup"):
        targets.choose([], Asked("latest"), 1, {})


def test_a_backup_that_the_user_wants_has_to_lead_there():
    assert targets.choose([FIRST, SECOND], Asked("latest"), 1, {}, "first") is FIRST
    with pytest.raises(targets.Unreachable, match="choose first"):
        targets.choose([FIRST, SECOND], Asked("time", "…", 1500), 1, {}, "second")
    with pytest.raises(targets.Unreachable, match="no backup third"):
        targets.choose([FIRST, SECOND], Asked("latest"), 1, {}, "third")


def test_a_backup_of_another_history_is_not_chosen():
    """Timeline 3 left timeline 1 at 0/8000000; what timeline 2 has is no part of it, nor what came later on 1."""
    other = kept("other", 3000, "0/A000000", timeline=2)
    forks = {1: targets.position("0/8000000")}
    assert targets.choose([FIRST, SECOND, other], Asked("latest"), 3, forks) is FIRST
    ours = kept("ours", 2500, "0/B000000", timeline=3)
    assert targets.choose([FIRST, SECOND, other, ours], Asked("latest"), 3, forks) is ours


def test_a_history_file_tells_where_a_timeline_came_from():
    text = "1\t0/160000A0\tno recovery target specified\n\n2\t0/19000000\tbefore 2026-11-29 …\n"
    assert targets.read_history(text) == {1: targets.position("0/160000A0"), 2: targets.position("0/19000000")}


def test_the_timeline_is_followed_that_served_at_the_moment():
    """After a swap the moments before it are those of the data that served then."""
    rows = [(1, 0.0), (2, 1000.0), (3, 2000.0)]
    assert [targets.timeline_at(moment, rows, 3) for moment in (999, 1000, 1500, 2000, 9000)] == [1, 2, 2, 3, 3]
    assert targets.timeline_at(None, rows, 3) == 3
    assert targets.timeline_at(None, rows, 0) == 3  # nothing lives that could be asked
    assert targets.timeline_at(500, [], 1) == 1
    assert targets.timeline_at(None, [], 0) == 0
