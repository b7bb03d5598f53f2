"""Before a new host takes a lost one's place: which folder was its, whether it is off, and whose name was typed."""

import json
from dataclasses import replace

import pytest
from click.testing import CliRunner

from healthv1.backup import lost
from healthv1.backup.lost import LostFolder, LostHost, choose, is_named, off_faults, remembered, still_to_wait
from healthv1.backup.onto_wish import OntoWish
from healthv1.backup.restores import Restore
from healthv1.cli.main import cli
from healthv1.cli.onto_new_host import lines
from healthv1.commands import lost_host
from healthv1.commands.lost_host import refuse_newer
from healthv1.commands.onto_new_host import MovedOnto
from healthv1.commands.verify import Report
from healthv1.errors import Fault, RestoreError

AGAIN = "healthv1 restore production --onto-new-host"
OLD = LostHost("db1", "203.0.113.20", 22)
NOON = 1_795_953_600.0
FOLDER = LostFolder(1, "/health-v1/aaaaaaaaaaaa/1", "20261129-020000F", NOON, "0" * 24, NOON + 60, 1, "17")
OTHER = replace(FOLDER, path="/health-v1/bbbbbbbbbbbb/1", archived=NOON + 90)


def folder_of(path, repository=1):
    return replace(FOLDER, path=path, repository=repository)


def test_the_only_other_folder_is_the_lost_hosts():
    assert choose([FOLDER], "", 0, AGAIN) is FOLDER


def test_of_several_versions_of_the_passphrase_the_last_one_counts_and_of_two_repositories_the_first():
    versions = [folder_of(f"/health-v1/aaaaaaaaaaaa/{number}") for number in (1, 10, 9)]
    assert choose(versions, "", 0, AGAIN).version == 10
    both = [folder_of(FOLDER.path, 2), FOLDER]
    assert choose(both, "", 0, AGAIN).repository == 1
    assert choose(both, "", 2, AGAIN).repository == 2


@pytest.mark.parametrize(
    "wanted", ["bbbbbbbbbbbb", "bbbbbbbbbbbb/1", "/health-v1/bbbbbbbbbbbb/1", "health-v1/bbbbbbbbbbbb/1/"]
)
def test_one_of_several_is_chosen_by_its_name(wanted):
    assert choose([FOLDER, OTHER], wanted, 0, AGAIN) is OTHER


def test_several_are_refused_each_with_its_times_and_the_way_to_choose():
    with pytest.raises(RestoreError) as raised:
        choose([FOLDER, OTHER], "", 0, AGAIN)
    (fault,) = raised.value.faults
    assert raised.value.exit_code == 4
    assert "/health-v1/aaaaaaaaaaaa/1 (newest backup 2026-11-29 12:00:00 UTC" in fault.what
    assert "/health-v1/bbbbbbbbbbbb/1" in fault.what
    assert fault.hint.endswith(f"{AGAIN} --from bbbbbbbbbbbb")


@pytest.mark.parametrize(
    ("folders", "wanted", "words"),
    [([], "", "No other host"), ([FOLDER], "cccccccccccc", "not among them"), ([FOLDER], "aaaa", "not among them")],
)
def test_what_is_not_there_is_refused(folders, wanted, words):
    with pytest.raises(RestoreError, match="repository") as raised:
        choose(folders, wanted, 0, AGAIN)
    assert words in raised.value.faults[0].what


@pytest.mark.parametrize(
    ("typed", "named"),
    [
        ("db1", True),
        (" db1 ", True),
        ("203.0.113.20", True),
        ("", False),
        ("DB1", False),
        ("db", False),
        ("db11", False),
    ],
)
def test_a_name_is_typed_letter_by_letter(typed, named):
    assert is_named(typed, "db1", "203.0.113.20") is named


def test_nobody_types_the_name_of_nothing():
    assert not is_named("", "")


def faults(hosts, typed, port=0):
    return off_faults(hosts, "health1", typed, lambda _host: port, AGAIN)


def test_a_host_that_answers_is_not_off_whatever_is_typed():
    for typed in ("", "db1", "health1"):
        (fault,) = faults([OLD], typed, 22)
        assert fault.what == "It answers on port 22: it is not off."
    assert f"{AGAIN} --i-have-powered-off 203.0.113.20" in fault.hint


def test_another_machine_may_have_its_address_by_now():
    assert faults([OLD], "203.0.113.20", 22) == []


def test_silence_is_no_proof_so_its_name_is_typed():
    (fault,) = faults([OLD], "")
    assert "no proof" in fault.what
    assert fault.hint == f"power it off at its provider, then: {AGAIN} --i-have-powered-off db1"
    assert faults([OLD], "db1") == []


def test_another_name_is_refused():
    (fault,) = faults([OLD], "health1")
    assert (fault.where, fault.what) == ("--i-have-powered-off health1", "The lost host is db1 (203.0.113.20).")


def test_where_nothing_remembers_it_the_inventorys_name_is_typed():
    (fault,) = faults([], "")
    assert "Nothing here remembers" in fault.what
    assert fault.hint.endswith("--i-have-powered-off health1")
    assert faults([], "health1", 22) == []


def member(name, address, *parts):
    return {"name": name, "address": address, "parts": list(parts)}


def test_the_hosts_that_are_left_remember_the_lost_database():
    record = {
        "members": [
            member("db1", "203.0.113.20", "database"),
            member("db2", "203.0.113.30", "database"),
            member("edge0", "203.0.113.9", "edge"),
        ]
    }
    present = {"db2": "203.0.113.30", "api1": "203.0.113.21"}
    assert remembered(present, [record, record], []) == (OLD,)


def line(**databases):
    return json.dumps({"command": "apply", "databases": databases})


def test_else_the_operators_journal_does_and_its_newest_line_counts():
    lines = [line(old="203.0.113.1"), line(db1="203.0.113.20"), '{"command": "plan"}', line(db1="203.0.113.30"), "cut"]
    assert remembered({"db1": "203.0.113.30"}, [{}], lines) == (OLD,)


def test_nothing_is_remembered_of_a_host_that_comes_back_under_its_address():
    assert remembered({"db1": "203.0.113.20"}, [{}], [line(db1="203.0.113.20"), "[]", ""]) == ()


def test_its_silence_tells_once_a_row_and_its_wal_should_have_arrived():
    assert still_to_wait(FOLDER, FOLDER.archived + 10, 60) == 140
    assert still_to_wait(FOLDER, FOLDER.archived + 150, 60) == 0
    assert still_to_wait(FOLDER, FOLDER.archived + 1000, 60) == 0
    assert lost.silence(3600) == lost.LONGEST_WAIT


def test_wal_that_arrives_meanwhile_means_that_the_host_runs():
    copy = Restore("production", "db2", "kept", asked={"segment": FOLDER.segment})
    refuse_newer(FOLDER, copy)
    with pytest.raises(RestoreError) as raised:
        refuse_newer(replace(FOLDER, segment="0" * 23 + "1"), copy)
    assert "that host runs, and writes" in raised.value.faults[0].what
    assert "healthv1 restore production --discard" in raised.value.faults[0].hint
    assert raised.value.exit_code == 5


def test_the_command_is_given_again_with_all_that_was_asked_for(tmp_path):
    wish = OntoWish(
        "2026-11-29T08:30Z", repository=2, folder="aaaa", powered_off="db1", escrow=tmp_path, identity=tmp_path
    )
    again = wish.command("production", folder=wish.folder)
    assert again == (
        f"healthv1 restore production --onto-new-host --to 2026-11-29T08:30Z --repository 2 --from aaaa"
        f" --escrow {tmp_path} --identity {tmp_path}"
    )
    assert OntoWish().command("production") == "healthv1 restore production --onto-new-host"


RESTORED = Restore(
    "production",
    "db2",
    "swapped",
    asked={"text": "latest out of /health-v1/aaaaaaaaaaaa/1", "from": FOLDER.path},
    proven={"holds": True, "faults": [], "told": ["its schema is older"], "canary": NOON},
)
MOVED = MovedOnto(
    "production",
    "db2",
    RESTORED,
    {"secrets": 1.2, "deploy": 74.0, "restore": 31.0, "swap": 9.0, "apply": 15.0, "verify": 4.0},
    131.4,
    report=Report("production", []),
    left_to_do=("DNS: let api.example.com lead to 203.0.113.30.",),
)


def test_the_end_tells_what_there_is_how_long_it_took_and_what_is_left_to_do():
    shown = "\n".join(lines(MOVED))
    assert "✓ db2 has latest out of /health-v1/aaaaaaaaaaaa/1: every page, table and index was read." in shown
    assert "everything up to 2026-11-29 12:00:00 UTC" in shown
    assert "its schema is older" in shown
    assert "RTO: 131 s, from the command, until visitors were let in (secrets 1 s, deploy 74 s, restore 31 s," in shown
    assert "  - DNS: let api.example.com" in shown
    went_on = "\n".join(lines(replace(MOVED, begun=NOON)))
    assert "RTO: 131 s, went on with what was begun 2026-11-29 12:00:00 UTC, until" in went_on
    assert MOVED.exit_code == 0
    assert MOVED.as_json()["rto"] == 131.4


@pytest.mark.parametrize(
    ("moved", "code"),
    [
        (replace(MOVED, declined=True), 1),
        (replace(MOVED, faults=(Fault("db2", "It was killed."),)), 1),
        (replace(MOVED, faults=(Fault("db2", "No."),), restored=replace(RESTORED, failure={"code": 4})), 4),
        (replace(MOVED, report=Report("production", [], [Fault("api1", "It does not answer.")])), 1),
    ],
)
def test_the_exit_code_tells_how_it_ended(moved, code):
    assert moved.exit_code == code


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (["--from", "aaaa"], "belong to --onto-new-host"),
        (["--i-have-powered-off", "db1", "--swap"], "belong to --onto-new-host"),
        (["--onto-new-host", "--swap"], "Give one of"),
        (["--onto-new-host", "--escrow", __file__], "belong together"),
        (["--unproven"], "--onto-new-host or --swap"),
        (["--swap", "--to", "latest"], "a new restore"),
    ],
)
def test_what_does_not_go_together_is_refused_before_anything_else(words, what):
    done = CliRunner().invoke(cli, ["restore", "recorded", *words])
    assert done.exit_code == 2  # click's own; healthv1's main makes 1 of it
    assert what in done.output


def host_says(rows=(), **onto):
    return {"onto": onto, "rows": list(rows), "silent": ""}


def test_a_host_that_holds_rows_takes_nobodys_place_unless_it_is_about_to():
    (fault,) = lost_host.row_faults("db2", host_says(["3 of health.patients"]), "production")
    assert "3 of health.patients" in fault.what
    assert fault.hint.endswith("healthv1 restore production --to TIME")
    assert lost_host.row_faults("db2", {}, "production") == []
    assert lost_host.row_faults("db2", host_says(["3 of health.patients"], done=0), "production") == []
    assert lost_host.row_faults("db2", host_says(["3 of health.patients"], done=7.5), "production") != []
